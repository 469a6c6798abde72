#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "core/base/error.h"
#include "data/image.h"

namespace mica::data {
namespace {

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
  jpeg_mem_src(&reader.jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&reader.jpeg, TRUE);
  return true;
}

bool step_start(Reader& reader) {
  if (setjmp(reader.jump)) return false;
  reader.jpeg.out_color_space = reader.jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
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

void start(Reader& reader, std::span<const std::byte> file, const std::string& path) {
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.jpeg.client_data = &reader;
  reader.errors.error_exit = on_error;
  reader.errors.emit_message = on_message;
  check(step_header(reader, file), reader, path);
}

}  // namespace

ImageInfo probe_jpeg(std::span<const std::byte> file, const std::string& path) {
  Reader reader;
  start(reader, file, path);
  return {reader.jpeg.image_height, reader.jpeg.image_width, reader.jpeg.num_components == 1};
}

Pixels decode_jpeg(std::span<const std::byte> file, const std::string& path) {
  Reader reader;
  start(reader, file, path);
  check(step_start(reader), reader, path);
  Pixels result;
  result.height = reader.jpeg.output_height;
  result.width = reader.jpeg.output_width;
  result.channels = reader.jpeg.output_components;
  const auto row_bytes = static_cast<size_t>(result.width * result.channels);
  result.bytes.resize(row_bytes * static_cast<size_t>(result.height));
  check(step_rows(reader, result.bytes.data(), row_bytes), reader, path);
  return result;
}

}  // namespace mica::data
