// Files that may be compressed with gzip.
//
//   std::vector<std::byte> bytes = read_maybe_gzip("train-labels-idx1-ubyte.gz");
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mica::data {

/// The file's content, unpacked if it begins as gzip files do. Throws Error(kData) naming the file
/// if it is missing, cut off, damaged (wrong checksum), or named .gz without being one.
std::vector<std::byte> read_maybe_gzip(const std::string& path);

}  // namespace mica::data
