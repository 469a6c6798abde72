// Sums of products over named or numbered axes.
//
//   outer(a, b)      inner(a, b)      kron(a, b)
//   tensordot(a, b, {1, 2}, {0, 1})
//   einsum("bij,bjk->bik", {a, b})
//
// All of them become products of matrices where they can, and differentiate as those do.
#pragma once

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

/// Sum over pairs of axes: those of a that are left, then those of b.
Array tensordot(const Array& a, const Array& b, const Axes& axes_a, const Axes& axes_b);
/// Over the last `axes` axes of a and the first of b.
Array tensordot(const Array& a, const Array& b, int axes = 2);

/// Einstein's sum: a letter for each axis, "..." for any others, "->" and the axes of the result
/// (without it: letters that occur once, in alphabetical order, behind those of "..."). Repeated
/// letters of one operand take its diagonal. Operands are multiplied in pairs, the pair with the
/// least arithmetic first. Throws Error naming the equation for what does not fit.
Array einsum(std::string_view equation, const Arrays& operands);
/// The pairs that einsum multiplies: positions in the list of operands, from which both are taken
/// and to whose end the product goes.
std::vector<std::pair<size_t, size_t>> einsum_path(std::string_view equation,
                                                   const Arrays& operands);

}  // namespace mica
