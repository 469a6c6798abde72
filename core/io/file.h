// Whole files in and out. A file is written under another name beside the one wanted and takes its
// place in one step, so that readers, crashes and full disks never meet half a file.
//
//   std::vector<std::byte> bytes = read_file("w.npy");
//   write_file("w2.npy", bytes);
//
//   AtomicFile file("run.h5");          // creates run.h5.tmp.<pid>
//   file.write(head);
//   file.write(body);
//   file.commit();                      // flush, fsync, rename, fsync of the folder
//
// Every failure is Error(kData) naming the file and the reason of the system; whatever was written
// before it is removed. One thread a file.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mica {

/// The whole file. Throws Error(kData) if there is none, it is a folder or cannot be read.
std::vector<std::byte> read_file(const std::string& path);

class AtomicFile {
 public:
  /// Creates the temporary file. Throws if the folder is missing or cannot be written.
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  /// Removes the temporary file unless commit() succeeded.
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// The file is on disk under its own name when this returns. Nothing may be written after it.
  void commit();

 private:
  [[noreturn]] void fail_with(const char* action, int error_number);

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// Writes the file in one step, as AtomicFile does.
void write_file(const std::string& path, std::span<const std::byte> bytes);
void write_file(const std::string& path, std::string_view text);

/// Removes what killed processes left of their attempts to write `path` (path.tmp.<pid> of
/// processes that are no more).
void remove_stale_temporaries(const std::string& path);

}  // namespace mica
