// The range and precision of element types, as NumPy's finfo and iinfo give them.
//
//   finfo(bfloat16).eps      // 0.0078125
//   iinfo(int8).max          // 127
#pragma once

#include <cmath>
#include <limits>

#include "core/graph/dtype.h"

namespace mica {

struct FloatInfo {
  int bits;
  double eps;              // from 1 to the next larger number
  double max;              // the largest finite number; the lowest is -max
  double smallest_normal;  // the smallest positive number with full precision
};
struct IntegerInfo {
  int bits;
  int64_t min;
  uint64_t max;
};

/// Of a complex type, that of its parts. Throws Error for types that are not floating or complex.
inline FloatInfo finfo(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat16: return {16, 0x1p-10, 65504, 0x1p-14};
    case Dtype::kBfloat16: return {16, 0x1p-7, 0x1.FEp127, 0x1p-126};
    case Dtype::kFloat32:
    case Dtype::kComplex64: return {32, 0x1p-23, 0x1.FFFFFEp127, 0x1p-126};
    case Dtype::kFloat64: return {64, 0x1p-52, std::numeric_limits<double>::max(), 0x1p-1022};
    default: fail("[finfo] {} is no floating type", dtype);
  }
}

/// Throws Error for types that are no integers.
inline IntegerInfo iinfo(Dtype dtype) {
  if (!is_integer(dtype)) fail("[iinfo] {} is no integer type", dtype);
  const int bits = static_cast<int>(8 * size_of(dtype));
  if (is_unsigned(dtype)) return {bits, 0, UINT64_MAX >> (64 - bits)};
  return {bits, INT64_MIN >> (64 - bits), static_cast<uint64_t>(INT64_MAX) >> (64 - bits)};
}

}  // namespace mica
