// Pictures from files: PNG (1 to 16 bits, grey, colour, palette, transparent, interlaced) and JPEG.
//
//   ImageInfo info = probe_image("cat.png");                  // the header only
//   std::vector<uint8_t> pixels(info.height * info.width * 3);
//   decode_image("cat.png", 3, pixels);                       // RGB rows
//
// JPEG files may be grey, YCbCr, RGB, CMYK or YCCK, and are turned as their EXIF orientation says,
// so that a picture is what a viewer shows; other colour profiles than sRGB are not looked at.
//
// The format is told by the content, not by the name. Everything is Error(kData) naming the file
// that is missing, no picture of these kinds, damaged or cut off. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mica::data {

struct ImageInfo {
  int64_t height = 0;
  int64_t width = 0;
  /// Without colour: grey, or a palette of greys.
  bool grey = false;
};

ImageInfo probe_image(const std::string& path);

/// Decodes to 1 (grey), 3 (RGB) or 4 (RGBA) bytes a pixel. 16 bits are rounded to 8; transparency
/// is dropped unless 4 bytes are asked for; colour turns grey by the luma of ITU-R BT.601.
/// `pixels` must have height * width * channels bytes, else Error(kData) names both sizes.
void decode_image(const std::string& path, int64_t channels, std::span<uint8_t> pixels);

/// By format, for image.cc. `path` is for messages.
ImageInfo probe_png(std::span<const std::byte> file, const std::string& path);
ImageInfo probe_jpeg(std::span<const std::byte> file, const std::string& path);

/// Pixels as the file has them: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
struct Pixels {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<uint8_t> bytes;
};
/// Throws Error(kData) for a damaged file.
Pixels decode_png(std::span<const std::byte> file, const std::string& path);
Pixels decode_jpeg(std::span<const std::byte> file, const std::string& path);

}  // namespace mica::data
