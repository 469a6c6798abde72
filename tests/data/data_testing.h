// Helpers of the data tests.
#pragma once

#include <png.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/io/file.h"
#include "data/dataset.h"
#include "data/prepare.h"
#include "tests/core/io_testing.h"

namespace mica::data {

inline std::string big_endian(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}

/// An IDX file of unsigned bytes.
inline std::string idx_file(const std::vector<uint32_t>& shape, const std::string& values) {
  std::string text = big_endian(0x0800 | static_cast<uint32_t>(shape.size()));
  for (const uint32_t length : shape) text += big_endian(length);
  return text + values;
}

/// Images of 2 x 2 pixels and their labels under MNIST's names.
inline void write_idx_pair(const TemporaryFolder& folder, const std::string& part,
                           const std::string& labels) {
  const auto count = static_cast<uint32_t>(labels.size());
  std::string pixels;
  for (uint32_t i = 0; i < 4 * count; ++i) pixels += static_cast<char>(i * 7);
  write_file(folder / (part + "-images-idx3-ubyte"), idx_file({count, 2, 2}, pixels));
  write_file(folder / (part + "-labels-idx1-ubyte"), idx_file({count}, labels));
}

inline PrepareOptions prepare_options(const std::string& source, const std::string& path,
                                      const std::string& out) {
  PrepareOptions options;
  options.source = source;
  options.path = path;
  options.out = out;
  return options;
}

/// Prepares and opens.
inline std::shared_ptr<const Dataset> prepared(const PrepareOptions& options) {
  prepare(options);
  return Dataset::open(options.out);
}

/// Expects prepare() to fail with Error(kData) holding the pieces, and to leave no file.
inline void expect_bad_data(const PrepareOptions& options, const std::vector<std::string>& pieces) {
  expect_error(ErrorKind::kData, pieces, [&] { prepare(options); });
  EXPECT_FALSE(std::filesystem::exists(options.out));
}

inline void write_grey_png(const std::string& path, const uint8_t* pixels, uint32_t height,
                           uint32_t width) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = PNG_FORMAT_GRAY;
  ASSERT_NE(png_image_write_to_file(&image, path.c_str(), 0, pixels, 0, nullptr), 0);
}

/// The folder of real data that MICA_TEST_DATA names; tests skip themselves when it is empty.
inline std::string test_data() {
  const char* folder = std::getenv("MICA_TEST_DATA");
  return folder == nullptr ? "" : folder;
}

/// The sample that is shipped.
inline std::string sample_folder() { return fixture("../../data/samples/mnist"); }

}  // namespace mica::data
