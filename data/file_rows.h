// The rows of one array of a prepared file, read where they are asked for.
//
//   FileRows rows("big.h5", "/train/x", /*count=*/1'400'000, /*row_bytes=*/3072);
//   rows.will_need(0, 1000);                 // the system begins to read
//   rows.read(17, 1, bytes);
//
// Nothing is kept in this process: what was read lately is in the system's cache of the file, which
// it takes back when memory is short. A file that is replaced by a rename keeps its old bytes here.
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mica::data {

class FileRows {
 public:
  /// Whether the array's bytes can be read without HDF5.
  static bool can_read(const std::string& path, const std::string& name);
  /// Throws Error(kData) if they can't, or if the file is too short for so many.
  FileRows(const std::string& path, const std::string& name, int64_t count, int64_t row_bytes);
  FileRows(const FileRows&) = delete;
  FileRows& operator=(const FileRows&) = delete;
  ~FileRows();

  int64_t row_bytes() const { return row_bytes_; }
  /// Rows from `begin` on, as many as `out` has room for. Throws Error(kData) if the file was cut
  /// short, or the disk fails.
  void read(int64_t begin, std::span<std::byte> out) const;
  /// Tells the system that these rows will be read soon.
  void will_need(int64_t begin, int64_t count) const;

 private:
  std::string path_;
  int64_t offset_ = 0;
  int64_t row_bytes_ = 0;
  int descriptor_ = -1;
};

}  // namespace mica::data
