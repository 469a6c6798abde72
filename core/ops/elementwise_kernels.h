// The kernels of the elementwise rows, for the interpreter of fused programs.
#pragma once

#include <cstddef>

#include "core/ops/elementwise.h"

namespace mica {

/// out[i] = row(x[i], y[i]) for i < count, on contiguous arrays; y is ignored by unary rows. `out`
/// may be x or y, and else overlaps neither.
using ElementwiseKernel = void (*)(const void* x, const void* y, void* out, size_t count);

/// Which operand of a kernel is one number for all i.
enum class Fixed : uint8_t { kNone, kX, kY };

/// The kernel of a row for inputs of this type, in the best instruction set of this machine.
/// Throws for types without one (halves compute in float32).
ElementwiseKernel elementwise_kernel(Function function, Dtype dtype, Fixed fixed = Fixed::kNone);
ElementwiseKernel cast_kernel(Dtype from, Dtype to);
/// Between float32 and halves; null for other types.
ElementwiseKernel half_cast_kernel(Dtype from, Dtype to);

/// out[i] = condition[i] ? x[i] : y[i], the condition being bool, x and y of type `dtype`.
using WhereKernel = void (*)(const void* condition, const void* x, const void* y, void* out,
                             size_t count);
WhereKernel where_kernel(Dtype dtype, Fixed fixed = Fixed::kNone);

/// out[i] = second(first(x[i], y[i]), z[i]), or second(z[i], first(x[i], y[i])), on float32, with
/// the bits of one kernel after the other. Null but for sums, differences and products.
WhereKernel pair_kernel(Function first, Fixed fixed, Function second, bool result_is_left,
                        bool z_is_fixed);

/// Copies, past the caches if both are 64-byte aligned: for results too large to stay in them.
void stream_bytes(const std::byte* from, size_t bytes, std::byte* to);

// The parts of that table, each compiled for every instruction set.
const ElementwiseKernel* float32_kernels(Fixed fixed);
const ElementwiseKernel* float64_kernels(Fixed fixed);
const ElementwiseKernel* scalar_kernels(Dtype dtype, Fixed fixed);  // the other types

}  // namespace mica
