#include <png.h>

#include <cstring>

#include "core/base/error.h"
#include "data/image.h"

namespace mica::data {
namespace {

constexpr int64_t kMaxSide = 1 << 16;
// No deflated byte becomes more (zlib, "Technical details").
constexpr size_t kMaxInflation = 1032;

struct Input {
  const std::byte* data;
  size_t left;
};

/// libpng reports errors by longjmp, which must not cross objects with destructors: the functions
/// that it may jump out of (step_*) have none, and leave the text here.
struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Input input = {};
  char message[128] = "";

  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

void on_error(png_structp png, png_const_charp text) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::strncpy(reader->message, text, sizeof(reader->message) - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, size_t count) {
  auto* input = static_cast<Input*>(png_get_io_ptr(png));
  if (count > input->left) png_error(png, "the file ends early (cut off?)");
  std::memcpy(to, input->data, count);
  input->data += count;
  input->left -= count;
}

bool step_header(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_read_fn(reader.png, &reader.input, on_read);
  png_read_info(reader.png, reader.info);
  return true;
}

bool step_transform(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_scale_16(reader.png);
  png_set_expand(reader.png);  // palettes, fewer than 8 bits, transparency chunks
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool step_rows(Reader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

void start(Reader& reader, std::span<const std::byte> file, const std::string& path) {
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  MICA_ASSERT(reader.png != nullptr);
  reader.info = png_create_info_struct(reader.png);
  reader.input = {file.data(), file.size()};
  const bool read = step_header(reader);
  if (!read) fail(ErrorKind::kData, "{}: damaged PNG file: {}", path, reader.message);
  if (png_get_image_width(reader.png, reader.info) > kMaxSide ||
      png_get_image_height(reader.png, reader.info) > kMaxSide) {
    fail(ErrorKind::kData, "{}: more than {} pixels wide or high", path, kMaxSide);
  }
  const size_t packed = png_get_rowbytes(reader.png, reader.info);
  if (packed * png_get_image_height(reader.png, reader.info) > kMaxInflation * file.size()) {
    fail(ErrorKind::kData, "{}: damaged PNG file: {} bytes cannot hold {} x {} pixels", path,
         file.size(), png_get_image_width(reader.png, reader.info),
         png_get_image_height(reader.png, reader.info));
  }
}

bool is_grey(Reader& reader) {
  const int type = png_get_color_type(reader.png, reader.info);
  if (type != PNG_COLOR_TYPE_PALETTE) return (type & PNG_COLOR_MASK_COLOR) == 0;
  png_colorp palette = nullptr;
  int count = 0;
  png_get_PLTE(reader.png, reader.info, &palette, &count);
  for (int i = 0; i < count; ++i) {
    if (palette[i].red != palette[i].green || palette[i].red != palette[i].blue) return false;
  }
  return true;
}

}  // namespace

ImageInfo probe_png(std::span<const std::byte> file, const std::string& path) {
  Reader reader;
  start(reader, file, path);
  return {png_get_image_height(reader.png, reader.info),
          png_get_image_width(reader.png, reader.info), is_grey(reader)};
}

Pixels decode_png(std::span<const std::byte> file, const std::string& path) {
  Reader reader;
  start(reader, file, path);
  if (!step_transform(reader)) {
    fail(ErrorKind::kData, "{}: damaged PNG file: {}", path, reader.message);
  }
  Pixels result;
  result.height = png_get_image_height(reader.png, reader.info);
  result.width = png_get_image_width(reader.png, reader.info);
  result.channels = png_get_channels(reader.png, reader.info);
  const auto row_bytes = static_cast<size_t>(result.width * result.channels);
  MICA_ASSERT(png_get_rowbytes(reader.png, reader.info) == row_bytes);
  result.bytes.resize(row_bytes * static_cast<size_t>(result.height));
  std::vector<png_bytep> rows(static_cast<size_t>(result.height));
  for (size_t row = 0; row < rows.size(); ++row) rows[row] = result.bytes.data() + row * row_bytes;
  if (!step_rows(reader, rows.data())) {
    fail(ErrorKind::kData, "{}: damaged PNG file: {}", path, reader.message);
  }
  return result;
}

}  // namespace mica::data
