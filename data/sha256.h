// SHA-256 of bytes, files and folders, in lower-case hexadecimal as sha256sum prints it.
//
//   Sha256 hash;
//   hash.add("abc");
//   hash.hex();                 // "ba7816bf..."
//   sha256_of_file("a.csv");    // equal to `sha256sum a.csv`
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mica::data {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  /// The digest; nothing may be added afterwards.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Of one file.
std::string sha256_of_file(const std::string& path);
/// Of several: the digest of the lines "digest  name", sorted by name, where the names are relative
/// to `folder`. Equal to `sha256sum NAMES... | sha256sum` in that folder. One file `folder` itself
/// (no names) gives its own digest.
std::string sha256_of_files(const std::string& folder, std::vector<std::string> names);

}  // namespace mica::data
