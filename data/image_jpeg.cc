#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <utility>

#include <jpeglib.h>

#include "core/base/error.h"
#include "data/image.h"

namespace mica::data {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;

/// As with libpng, errors arrive by longjmp: the functions that it may jump out of (step_*) have no
/// objects with destructors.
struct Reader {
  jpeg_decompress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";

  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
};

[[noreturn]] void on_error(j_common_ptr jpeg) {
  auto* reader = static_cast<Reader*>(jpeg->client_data);
  jpeg->err->format_message(jpeg, reader->message);
  std::longjmp(reader->jump, 1);
}

/// Warnings (level -1) are damage that libjpeg would paint over in grey.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0) on_error(jpeg);
}

bool step_header(Reader& reader, std::span<const std::byte> file) {
  if (setjmp(reader.jump)) return false;
  jpeg_create_decompress(&reader.jpeg);
  reader.jpeg.client_data = &reader;
  jpeg_save_markers(&reader.jpeg, kExifMarker, 0xffff);
  jpeg_mem_src(&reader.jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&reader.jpeg, TRUE);
  return true;
}

bool step_start(Reader& reader) {
  if (setjmp(reader.jump)) return false;
  // libjpeg turns YCCK to CMYK, but neither to RGB.
  reader.jpeg.out_color_space = reader.jpeg.num_components == 1   ? JCS_GRAYSCALE
                                : reader.jpeg.num_components == 4 ? JCS_CMYK
                                                                  : JCS_RGB;
  jpeg_start_decompress(&reader.jpeg);
  return true;
}

bool step_rows(Reader& reader, uint8_t* bytes, size_t row_bytes) {
  if (setjmp(reader.jump)) return false;
  while (reader.jpeg.output_scanline < reader.jpeg.output_height) {
    JSAMPROW row = bytes + reader.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&reader.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&reader.jpeg);
  return true;
}

void check(bool done, const Reader& reader, const std::string& path) {
  if (!done) fail(ErrorKind::kData, "{}: damaged JPEG file: {}", path, reader.message);
}

// A block of 8 x 8 pixels takes a bit at least; arithmetic coding may need less, hence four times
// as many. What claims more would only cost memory before it turned out to be cut off.
void check_size(const Reader& reader, size_t bytes, const std::string& path) {
  constexpr size_t kMaxPixelsInByte = 4 * 8 * 64;
  const size_t pixels = size_t{reader.jpeg.image_width} * reader.jpeg.image_height;
  if (pixels <= kMaxPixelsInByte * bytes) return;
  fail(ErrorKind::kData, "{}: damaged JPEG file: {} bytes cannot hold {} x {} pixels", path, bytes,
       reader.jpeg.image_width, reader.jpeg.image_height);
}

void start(Reader& reader, std::span<const std::byte> file, const std::string& path) {
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.jpeg.client_data = &reader;
  reader.errors.error_exit = on_error;
  reader.errors.emit_message = on_message;
  check(step_header(reader, file), reader, path);
  check_size(reader, file.size(), path);
}

/// The orientation of a picture's EXIF data, 1 to 8; 1 (as it lies) without any or where the data
/// makes no sense. EXIF 2.3, 4.6.4: a TIFF file whose first directory has the tag 0x0112.
int orientation_in(std::span<const uint8_t> exif) {
  constexpr uint8_t kMark[] = {'E', 'x', 'i', 'f', 0, 0};
  constexpr uint32_t kTag = 0x0112;
  constexpr size_t kEntry = 12;
  if (exif.size() < 14 || !std::equal(std::begin(kMark), std::end(kMark), exif.begin())) return 1;
  const std::span<const uint8_t> tiff = exif.subspan(6);
  const bool little = tiff[0] == 'I';
  const auto number = [&](size_t at, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | tiff[at + (little ? bytes - 1 - i : i)];
    return value;
  };
  const size_t directory = number(4, 4);
  if (directory + 2 > tiff.size()) return 1;
  const size_t entries = number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t at = directory + 2 + i * kEntry;
    if (at + kEntry > tiff.size()) return 1;
    if (number(at, 2) != kTag) continue;
    const uint32_t orientation = number(at + 8, 2);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

int orientation_of(const Reader& reader) {
  for (auto marker = reader.jpeg.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != kExifMarker) continue;
    return orientation_in({marker->data, marker->data_length});
  }
  return 1;
}

/// From 5 on, rows of the file are columns of the picture.
bool swaps_axes(int orientation) { return orientation >= 5; }

/// The picture as a viewer shows it.
Pixels upright(Pixels from, int orientation) {
  if (orientation == 1) return from;
  Pixels to = from;
  if (swaps_axes(orientation)) std::swap(to.height, to.width);
  const bool bottom_up =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool right_left = orientation == 2 || orientation == 3 || orientation >= 7;
  uint8_t* out = to.bytes.data();
  for (int64_t y = 0; y < to.height; ++y) {
    for (int64_t x = 0; x < to.width; ++x, out += to.channels) {
      int64_t row = swaps_axes(orientation) ? x : y;
      int64_t column = swaps_axes(orientation) ? y : x;
      if (bottom_up) row = from.height - 1 - row;
      if (right_left) column = from.width - 1 - column;
      std::copy_n(from.bytes.data() + (row * from.width + column) * from.channels, from.channels,
                  out);
    }
  }
  return to;
}

/// Inks to light. Programs of Adobe, which leave a mark, store the ink that is missing.
Pixels rgb_of_cmyk(const Pixels& cmyk, bool inverted) {
  Pixels rgb = {cmyk.height, cmyk.width, 3, {}};
  rgb.bytes.resize(cmyk.bytes.size() / 4 * 3);
  for (size_t i = 0; i < rgb.bytes.size(); ++i) {
    const uint8_t* pixel = cmyk.bytes.data() + i / 3 * 4;
    const int ink = inverted ? pixel[i % 3] : 255 - pixel[i % 3];
    const int black = inverted ? pixel[3] : 255 - pixel[3];
    rgb.bytes[i] = static_cast<uint8_t>((ink * black + 127) / 255);
  }
  return rgb;
}

}  // namespace

ImageInfo probe_jpeg(std::span<const std::byte> file, const std::string& path) {
  Reader reader;
  start(reader, file, path);
  ImageInfo info = {reader.jpeg.image_height, reader.jpeg.image_width,
                    reader.jpeg.num_components == 1};
  if (swaps_axes(orientation_of(reader))) std::swap(info.height, info.width);
  return info;
}

Pixels decode_jpeg(std::span<const std::byte> file, const std::string& path) {
  Reader reader;
  start(reader, file, path);
  const int orientation = orientation_of(reader);
  check(step_start(reader), reader, path);
  Pixels result;
  result.height = reader.jpeg.output_height;
  result.width = reader.jpeg.output_width;
  result.channels = reader.jpeg.output_components;
  const auto row_bytes = static_cast<size_t>(result.width * result.channels);
  result.bytes.resize(row_bytes * static_cast<size_t>(result.height));
  check(step_rows(reader, result.bytes.data(), row_bytes), reader, path);
  if (result.channels == 4) result = rgb_of_cmyk(result, reader.jpeg.saw_Adobe_marker != FALSE);
  return upright(std::move(result), orientation);
}

}  // namespace mica::data
