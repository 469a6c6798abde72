#include "core/ops/create.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "core/ops/view_op.h"

namespace mica {

Array zeros(const Shape& shape, Dtype dtype) { return full(shape, Array::scalar(0, dtype)); }
Array ones(const Shape& shape, Dtype dtype) { return full(shape, Array::scalar(1, dtype)); }
Array zeros_like(const Array& x) { return zeros(x.shape(), x.dtype()); }
Array ones_like(const Array& x) { return ones(x.shape(), x.dtype()); }

Array full(const Shape& shape, const Array& value) {
  for (int64_t length : shape) {
    if (length < 0) fail("[full] shape {} is not possible", to_string(shape));
  }
  return broadcast_to(value, shape);
}
Array full(const Shape& shape, const Array& value, Dtype dtype) {
  return full(shape, astype(value, dtype));
}

Array arange(double start, double stop, double step, Dtype dtype) {
  if (step == 0 || std::isnan(step)) fail("[arange] the step is {}", step);
  const double count = std::ceil((stop - start) / step);
  return apply(Arange(start, step, count > 0 ? static_cast<int64_t>(count) : 0, dtype), {});
}
Array arange(int64_t stop, Dtype dtype) { return arange(0, static_cast<double>(stop), 1, dtype); }

Array linspace(double start, double stop, int64_t count, Dtype dtype) {
  if (count < 0) fail("[linspace] {} values", count);
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  return astype(apply(Arange(start, step, count, float64), {}), dtype);
}

Array eye(int64_t rows, int64_t columns, Dtype dtype) {
  if (columns < 0) columns = rows;
  return astype(expand_dims(arange(rows), {1}) == arange(columns), dtype);
}

Array identity(int64_t n, Dtype dtype) { return eye(n, n, dtype); }

Array full_like(const Array& x, const Array& value) { return full(x.shape(), value, x.dtype()); }

Array tri(int64_t rows, int64_t columns, int k, Dtype dtype) {
  if (columns < 0) columns = rows;
  return astype(expand_dims(arange(rows), {1}) >= arange(columns) - k, dtype);
}

Array tril(const Array& x, int k) {
  if (x.rank() < 2) fail("[tril] shape {} is no matrix", to_string(x.shape()));
  return where(tri(x.dim(-2), x.dim(-1), k, bool_), x, 0);
}

Array triu(const Array& x, int k) {
  if (x.rank() < 2) fail("[triu] shape {} is no matrix", to_string(x.shape()));
  return where(tri(x.dim(-2), x.dim(-1), k - 1, bool_), 0, x);
}

Array diag(const Array& x, int k) {
  if (x.rank() == 2) return diagonal(x, k);
  if (x.rank() != 1) fail("[diag] shape {} is neither a vector nor a matrix", to_string(x.shape()));
  const int64_t before = std::abs(k), size = x.dim(0) + before;
  // Above the main diagonal x is read by rows, below by columns.
  const Array values = expand_dims(pad(x, {0}, {before}), {k >= 0 ? 1 : 0});
  const Array at = expand_dims(arange(size), {1}) + k == arange(size);
  return where(at, values, zeros({}, x.dtype()));
}

Array diagonal(const Array& x, int k, int axis1, int axis2) {
  const size_t rank = x.shape().size();
  if (rank < 2) fail("[diagonal] shape {} has no two axes", to_string(x.shape()));
  axis1 = normalize_axis(axis1, rank, "diagonal");
  axis2 = normalize_axis(axis2, rank, "diagonal");
  if (axis1 == axis2) fail("[diagonal] axis {} was given twice", axis1);
  // (..., rows, columns); the diagonal's elements lie columns + 1 apart.
  Array planes = moveaxis(moveaxis(x, axis1, -1), axis2 - (axis2 > axis1 ? 1 : 0), -1);
  const int64_t rows = planes.dim(-2), columns = planes.dim(-1);
  const int64_t length =
      std::max<int64_t>(0, k >= 0 ? std::min(rows, columns - k) : std::min(rows + k, columns));
  Shape shape = planes.shape();
  shape.resize(shape.size() - 2);
  if (length == 0) {
    shape.push_back(0);
    return zeros(shape, x.dtype());
  }
  shape.push_back(rows * columns);
  const int64_t first = k >= 0 ? k : -k * columns;
  return slice_axis(reshape(planes, shape), -1, first, first + (length - 1) * (columns + 1) + 1,
                    columns + 1);
}

Arrays meshgrid(const Arrays& vectors, bool ij) {
  Shape shape;
  for (const Array& v : vectors) {
    if (v.rank() > 1) fail("[meshgrid] shape {} is no vector", to_string(v.shape()));
    shape.push_back(v.size());
  }
  const bool swapped = !ij && vectors.size() >= 2;
  Arrays grids;
  for (size_t i = 0; i < vectors.size(); ++i) {
    Shape along(vectors.size(), 1);
    along[i] = vectors[i].size();
    const Array grid = broadcast_to(reshape(vectors[i], along), shape);
    grids.push_back(swapped ? swapaxes(grid, 0, 1) : grid);
  }
  return grids;
}

namespace {

// Points of [0, 1], at which windows are taken: 1 alone gives the window's middle.
Array window_points(int64_t count) {
  return count == 1 ? full({1}, 0.5f) : linspace(0, 1, count, float64);
}
Array cosine_of(const Array& points, double turns) {
  return cos(points * (2 * std::numbers::pi * turns));
}

}  // namespace

Array bartlett(int64_t count) { return astype(1 - abs(2 * window_points(count) - 1), float32); }
Array hanning(int64_t count) {
  return astype(0.5 - 0.5 * cosine_of(window_points(count), 1), float32);
}
Array hamming(int64_t count) {
  return astype(0.54 - 0.46 * cosine_of(window_points(count), 1), float32);
}
Array blackman(int64_t count) {
  const Array points = window_points(count);
  return astype(0.42 - 0.5 * cosine_of(points, 1) + 0.08 * cosine_of(points, 2), float32);
}

}  // namespace mica
