// Matrix products of bfloat16 on machines with instructions for them, summed in float32.
//
//   if (!gemm_bf16(rows, columns, inner, a, b, c, columns)) ...   // then by way of float32
//
// Cut into tiles like gemm (core/cpu/gemm.h), by the sizes alone. Safe to call from any thread.
#pragma once

#include "core/cpu/gemm.h"
#include "core/graph/half.h"

namespace mica {

/// c = a * b, row-major with c_line elements from row to row. False, with nothing done, where the
/// machine or oneDNN cannot, and where float32 is as fast: small products and long thin sums.
bool gemm_bf16(int64_t rows, int64_t columns, int64_t inner, MatrixView<bfloat16_t> a,
               MatrixView<bfloat16_t> b, bfloat16_t* c, int64_t c_line);

}  // namespace mica
