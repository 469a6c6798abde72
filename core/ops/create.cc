#include "core/ops/create.h"

#include <cmath>

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

}  // namespace mica
