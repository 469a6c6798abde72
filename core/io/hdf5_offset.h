// Where a dataset's bytes lie in its file, for those who read few of its rows at a time, from
// several threads, without HDF5.
//
//   std::optional<int64_t> begin = hdf5_offset("mnist.h5", "/train/x");
//   if (begin) pread(descriptor, row, row_bytes, *begin + number * row_bytes);
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mica {

/// Nothing if the bytes are not in one piece in the file, or not as they are in memory: chunks,
/// compression, another byte order. Files that Hdf5Writer wrote have them so. A damaged file of
/// others may tell of any number. Throws Error(kData) as Hdf5Reader does.
std::optional<int64_t> hdf5_offset(const std::string& path, const std::string& name);

}  // namespace mica
