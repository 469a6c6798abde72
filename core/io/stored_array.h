// Arrays whose values stay in a file until somebody reads them. For core/io only.
//
//   StoredTensor stored{spec, /*big_endian=*/false, /*fortran=*/false};
//   Array a = map_array(stored, file, bytes);            // bytes lie in *file
//   Array b = defer_array(spec, [=](std::byte* out) { inflate(member, out); });
//
// map_array refers to the pages of the file where kernels can use the bytes as they lie: then a
// slice reads its own pages only. Everything else is converted when it is first waited for. Both
// kinds keep the file mapped as long as they need it.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "core/graph/op.h"
#include "core/runtime/mapped_file.h"

namespace mica {

/// How a file holds the values of an array.
struct StoredTensor {
  Spec spec;
  bool big_endian = false;
  bool fortran = false;  // the first index runs fastest
};

/// Bytes of all values; nothing where a damaged header asks for more than any file can hold.
std::optional<size_t> byte_count(const Shape& shape, Dtype dtype);

/// Turns bytes of a file into row-major values of this machine. REQUIRES: both have the size of the
/// tensor. Any byte but 0 is true in a bool.
void decode(const StoredTensor& stored, std::span<const std::byte> from, std::byte* out);

/// REQUIRES: `bytes` lie in `file` and have the size of the tensor.
Array map_array(const StoredTensor& stored, const std::shared_ptr<const MappedFile>& file,
                std::span<const std::byte> bytes);

/// `fill` writes the row-major values when they are first waited for; what it throws is thrown
/// there.
Array defer_array(const Spec& spec, std::function<void(std::byte* out)> fill);

}  // namespace mica
