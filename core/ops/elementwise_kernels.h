// The kernels of the elementwise rows, for the interpreter of fused programs.
#pragma once

#include <cstddef>

#include "core/ops/elementwise.h"

namespace mica {

/// out[i] = row(x[i], y[i]) for i < count, on contiguous arrays; y is ignored by unary rows. `out`
/// may be x or y, and else overlaps neither.
using ElementwiseKernel = void (*)(const void* x, const void* y, void* out, size_t count);

/// The kernel of a row for inputs of this type, in the best instruction set of this machine.
/// Throws for types without one (halves compute in float32).
ElementwiseKernel elementwise_kernel(Function function, Dtype dtype);
ElementwiseKernel cast_kernel(Dtype from, Dtype to);

/// out[i] = condition[i] ? x[i] : y[i], the condition being bool, x and y of type `dtype`.
using WhereKernel = void (*)(const void* condition, const void* x, const void* y, void* out,
                             size_t count);
WhereKernel where_kernel(Dtype dtype);

// The parts of that table, each compiled for every instruction set.
const ElementwiseKernel* float32_kernels();
const ElementwiseKernel* float64_kernels();
const ElementwiseKernel* scalar_kernels(Dtype dtype);  // integers, bool and complex64

}  // namespace mica
