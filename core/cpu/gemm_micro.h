// Small matrix products that stay in the cache: no packing, no call into a library.
//
//   MicroGemm multiply = micro_gemm();   // null where the machine has no kernel worth its call
//   multiply({rows, columns, inner, a, inner, 1, b, columns, c, columns, false});
//
// One thread, no allocation. Made for operands of up to a few hundred kilobytes; beyond that a
// library that packs its operands wins.
#pragma once

#include <cstdint>

namespace mica {

/// c (rows x columns) = a * b, or += where `accumulate`. Element (i, k) of a lies at
/// a[i * a_row_step + k * a_inner_step]; the rows of b and c are contiguous.
struct MicroProduct {
  int64_t rows, columns, inner;
  const float* a;
  int64_t a_row_step, a_inner_step;
  const float* b;
  int64_t b_line;
  float* c;
  int64_t c_line;
  bool accumulate;
};
using MicroGemm = void (*)(const MicroProduct& product);

/// The kernel for this machine's SIMD target, or null.
MicroGemm micro_gemm();

/// y[i * y_step] = row i of `a` times x, for rows of `columns` contiguous elements `a_line` apart.
using MicroGemv = void (*)(const float* a, int64_t a_line, int64_t rows, int64_t columns,
                           const float* x, float* y, int64_t y_step);
/// The same kind of kernel, or null.
MicroGemv micro_gemv();

}  // namespace mica
