// Zip archives, as far as .npz files use them. For core/io only.
//
//   for (const ZipMember& member : list_zip(bytes, path)) {
//     std::vector<std::byte> content(member.size);
//     unzip(member, content, path);
//   }
//
//   ZipWriter zip(file);                                  // an AtomicFile
//   zip.add("x.npy", header, values, /*compress=*/false);
//   zip.finish();
//
// Members are stored or deflated; archives and members may exceed 4 GiB (zip64). Anything else
// (encryption, other methods, several disks) and any damage is Error(kData) naming file and member.
// The values of a stored member begin at a multiple of 64, so that arrays can be mapped. Layout as
// in PKWARE's APPNOTE 6.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/file.h"

namespace mica {

struct ZipMember {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t size = 0;                  // unpacked
  std::span<const std::byte> packed;  // of the archive
};

/// The members in the order of the archive's directory; their names differ.
std::vector<ZipMember> list_zip(std::span<const std::byte> archive, const std::string& where);
/// The whole member, its checksum compared. REQUIRES: out.size() == member.size.
void unzip(const ZipMember& member, std::span<std::byte> out, const std::string& where);
/// The first bytes of it, unchecked.
std::vector<std::byte> unzip_start(const ZipMember& member, size_t most, const std::string& where);

class ZipWriter {
 public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}
  /// A member of `head` and `body`, one after the other.
  void add(const std::string& name, std::string_view head, std::span<const std::byte> body,
           bool compress);
  /// Writes the directory. Nothing may be added after it.
  void finish();

 private:
  struct Entry {
    std::string name;
    bool deflated;
    uint32_t crc;
    uint64_t size, packed, at;
  };
  void write(std::string_view text);

  AtomicFile& file_;
  std::vector<Entry> entries_;
  uint64_t written_ = 0;
};

}  // namespace mica
