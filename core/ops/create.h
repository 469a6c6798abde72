// New arrays.
//
//   zeros({2, 3})      arange(10)      linspace(0, 1, 5)      eye(3)
#pragma once

#include "core/graph/array.h"

namespace mica {

/// Every element 0, 1 or `value`; full takes the dtype of the value unless one is given. A negative
/// length throws.
Array zeros(const Shape& shape, Dtype dtype = float32);
Array ones(const Shape& shape, Dtype dtype = float32);
Array full(const Shape& shape, const Array& value);
Array full(const Shape& shape, const Array& value, Dtype dtype);
/// With the shape and dtype of x.
Array zeros_like(const Array& x);
Array ones_like(const Array& x);
/// start, start + step, ... below stop.
Array arange(double start, double stop, double step = 1, Dtype dtype = int32);
Array arange(int64_t stop, Dtype dtype = int32);
/// `count` values from start to stop, both included.
Array linspace(double start, double stop, int64_t count = 50, Dtype dtype = float32);
/// Ones on the diagonal, zeros elsewhere; as many columns as rows unless given.
Array eye(int64_t rows, int64_t columns = -1, Dtype dtype = float32);
Array identity(int64_t n, Dtype dtype = float32);
/// `value` in the shape and dtype of x.
Array full_like(const Array& x, const Array& value);
/// Ones on and below diagonal `k` (above the main one where positive), zeros elsewhere.
Array tri(int64_t rows, int64_t columns = -1, int k = 0, Dtype dtype = float32);
/// The matrices in the last two axes with zeros above (tril) or below (triu) diagonal `k`.
Array tril(const Array& x, int k = 0);
Array triu(const Array& x, int k = 0);
/// A vector as diagonal `k` of a square matrix, or diagonal `k` of a matrix as a vector.
Array diag(const Array& x, int k = 0);
/// Diagonal `k` of the planes of two axes, as the last axis of the result.
Array diagonal(const Array& x, int k = 0, int axis1 = 0, int axis2 = 1);
/// The coordinates of a grid over vectors, one array for each: with `ij`, axis i follows vector i;
/// without, the first two are swapped, as NumPy's default "xy" has them.
Arrays meshgrid(const Arrays& vectors, bool ij = false);
/// Windows of `count` points, symmetric, as NumPy defines them.
Array bartlett(int64_t count);
Array hanning(int64_t count);
Array hamming(int64_t count);
Array blackman(int64_t count);

}  // namespace mica
