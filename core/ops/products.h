// Sums of products over named or numbered axes.
//
//   outer(a, b)      inner(a, b)      kron(a, b)
//   tensordot(a, b, {1, 2}, {0, 1})
//   einsum("bij,bjk->bik", {a, b})
//
// All of them become products of matrices where they can, and differentiate as those do.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/graph/array.h"

namespace mica {

/// (n,) and (m,) -> (n, m); other shapes are flattened.
Array outer(const Array& a, const Array& b);
/// Sum over both last axes: (..., k) and (... , k) -> the axes of a, then those of b.
Array inner(const Array& a, const Array& b);
/// Sum of a b over one axis; complex a is conjugated.
Array vecdot(const Array& a, const Array& b, int axis = -1);
/// alpha a b + beta c.
Array addmm(const Array& c, const Array& a, const Array& b, double alpha = 1, double beta = 1);
/// The blocks a[i, j] b, for any rank.
Array kron(const Array& a, const Array& b);
/// Cross product along an axis of length 3.
Array cross(const Array& a, const Array& b, int axis = -1);

/// matmul of matrices picked by number: those of a, (..., M, K), and of b, (..., K, N), counted in
/// row-major order of their leading axes. The integer arrays broadcast to a shape I; the result is
/// (I..., M, N). Without indices, all matrices of that operand in its leading axes.
Array gather_mm(const Array& a, const Array& b, const Array& a_indices = {},
                const Array& b_indices = {});
/// Products over parts of the inner axis: a (M, K), b (K, N) and integer segments (S, 2) -> (S, M,
/// N), a[:, s0:s1] b[s0:s1] for each pair.
Array segmented_mm(const Array& a, const Array& b, const Array& segments);
/// matmul of matrices in blocks of block x block elements, which masks switch off (false, 0) or
/// scale: masks (..., blocks down, blocks across), undefined ones are ones.
Array block_masked_mm(const Array& a, const Array& b, int64_t block = 64,
                      const Array& mask_out = {}, const Array& mask_a = {},
                      const Array& mask_b = {});
/// The last axis times a Hadamard matrix times `scale`, 1 / sqrt(n) where not given: Sylvester's
/// for a power of two, and with m = 12, 20 or 28 times one, Paley's over it. Throws for others.
Array hadamard_transform(const Array& x, std::optional<double> scale = {});

/// Sum over pairs of axes: those of a that are left, then those of b.
Array tensordot(const Array& a, const Array& b, const Axes& axes_a, const Axes& axes_b);
/// Over the last `axes` axes of a and the first of b.
Array tensordot(const Array& a, const Array& b, int axes = 2);

/// Einstein's sum: a letter for each axis, "..." for any others, "->" and the axes of the result
/// (without it: letters that occur once, in alphabetical order, behind those of "..."). Repeated
/// letters of one operand take its diagonal. Operands are multiplied in pairs, up to eight of them
/// in the order with the least arithmetic, more of them with the cheapest pair first. Throws Error
/// naming the equation for what does not fit.
Array einsum(std::string_view equation, const Arrays& operands);
/// The pairs that einsum multiplies: positions in the list of operands, from which both are taken
/// and to whose end the product goes.
std::vector<std::pair<size_t, size_t>> einsum_path(std::string_view equation,
                                                   const Arrays& operands);

}  // namespace mica
