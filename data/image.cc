#include "data/image.h"

#include <cstring>

#include "core/base/error.h"
#include "core/io/file.h"

namespace mica::data {
namespace {

enum class Format { kPng, kJpeg };

Format format_of(std::span<const std::byte> file, const std::string& path) {
  constexpr unsigned char kPng[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  constexpr unsigned char kJpeg[] = {0xff, 0xd8, 0xff};
  if (file.empty()) fail(ErrorKind::kData, "{}: is empty, wanted a PNG or JPEG file", path);
  const auto starts_with = [&](std::span<const unsigned char> mark) {
    return file.size() >= mark.size() && std::memcmp(file.data(), mark.data(), mark.size()) == 0;
  };
  if (starts_with(kPng)) return Format::kPng;
  if (starts_with(kJpeg)) return Format::kJpeg;
  fail(ErrorKind::kData, "{}: is no PNG or JPEG file", path);
}

/// ITU-R BT.601 luma in 16-bit fixed point, as Pillow rounds it.
uint8_t luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >> 16);
}

/// One pixel of 1 to 4 channels as one of 1, 3 or 4.
void convert_pixel(const uint8_t* from, int64_t from_channels, uint8_t* to, int64_t to_channels) {
  const bool grey = from_channels <= 2;
  if (to_channels == 1) {
    to[0] = grey ? from[0] : luma(from);
    return;
  }
  to[0] = from[0];
  to[1] = grey ? from[0] : from[1];
  to[2] = grey ? from[0] : from[2];
  if (to_channels < 4) return;
  to[3] = from_channels % 2 == 0 ? from[from_channels - 1] : 255;
}

}  // namespace

ImageInfo probe_image(const std::string& path) {
  const std::vector<std::byte> file = read_file(path);
  return format_of(file, path) == Format::kPng ? probe_png(file, path) : probe_jpeg(file, path);
}

void decode_image(const std::string& path, int64_t channels, std::span<uint8_t> pixels) {
  const std::vector<std::byte> file = read_file(path);
  const Pixels image =
      format_of(file, path) == Format::kPng ? decode_png(file, path) : decode_jpeg(file, path);
  const int64_t count = image.height * image.width;
  if (count * channels != static_cast<int64_t>(pixels.size())) {
    fail(ErrorKind::kData, "{}: {} x {} pixels, wanted {} in all", path, image.width, image.height,
         static_cast<int64_t>(pixels.size()) / channels);
  }
  for (int64_t i = 0; i < count; ++i) {
    convert_pixel(image.bytes.data() + i * image.channels, image.channels,
                  pixels.data() + i * channels, channels);
  }
}

}  // namespace mica::data
