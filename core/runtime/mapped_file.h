// MappedFile: a file's bytes in the address space, read from the disk page by page as they are
// touched.
//
//   std::shared_ptr<const MappedFile> file = MappedFile::open("weights.safetensors");
//   std::span<const std::byte> bytes = file->bytes();      // costs nothing, however long
//
// A file that is replaced by a rename (as Mica writes) keeps its old bytes for those who mapped it.
// One that somebody else cuts short, or whose disk fails, has pages that cannot be read any more:
// the system sends SIGBUS to whoever touches one. A handler, set with the first mapping, puts zeros
// in their place, and check_mapped_files() then throws until the last handle to that file goes, so
// that no value computed from such zeros is handed out. Faults anywhere else go to the handler that
// was set before. Changes of the bytes in place are seen, as with NumPy's memmap.
//
// Immutable; may be shared between threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace mica {

class MappedFile {
 public:
  /// Throws Error(kData) if there is no such file, it is a folder or pipe, or cannot be mapped.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  MappedFile() = default;

  std::string path_;
  std::span<const std::byte> bytes_;
  struct MappedRange* range_ = nullptr;
};

namespace detail {
/// Files still mapped that have lost pages.
extern std::atomic<int> lost_files;
[[noreturn]] void throw_lost_file();
}  // namespace detail

/// Throws Error(kData) naming a mapped file that was cut short since it was opened. Whoever has
/// read values that may come from a file calls it before handing out results.
inline void check_mapped_files() {
  if (detail::lost_files.load(std::memory_order_acquire) != 0) detail::throw_lost_file();
}

}  // namespace mica
