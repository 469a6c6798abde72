// Files by name, out of a folder or out of an archive that was packed from one.
//
//   Folder folder("cifar-10-binary.tar.gz", "cifar-10-batches-bin");
//   for (const std::string& name : folder.names()) ...;       // sorted
//   std::vector<std::byte> bytes = folder.read("data_batch_1.bin");
//
// An archive (.tar, .tar.gz: told by content) is unpacked in memory and never onto the disk.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace mica::data {

class Folder {
 public:
  /// `inner`: a subfolder to look into if there is one, as archives have it. Throws Error(kData)
  /// for anything that is neither a folder nor a whole archive.
  Folder(const std::string& path, const std::string& inner);

  /// Of the files right in it, sorted.
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return files_.contains(name); }
  /// Throws Error(kData) if there is none of this name.
  std::vector<std::byte> read(const std::string& name) const;
  /// For messages: "cifar/test_batch.bin".
  std::string place_of(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// Of the files of these names, as `sha256sum NAMES... | sha256sum` has it: the same for a folder
  /// and an archive of it.
  std::string sha256(std::vector<std::string> names) const;

 private:
  struct Extent {
    size_t begin = 0;
    size_t size = 0;
  };

  void find_in_archive(const std::string& inner);

  std::string path_;
  std::vector<std::byte> archive_;  // empty: a folder
  std::map<std::string, Extent> files_;
};

}  // namespace mica::data
