#include "core/ops/rope.h"

#include <cmath>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/products.h"
#include "core/ops/view.h"

namespace mica {

Array rope(const Array& x, int64_t dims, const RopeOptions& options) {
  const std::string shape = to_string(x.shape());
  if (x.rank() < 2) fail("[rope] shape {}; wanted (..., length, features)", shape);
  if (!is_floating(x.dtype())) fail("[rope] {}; wanted a floating type", x.dtype());
  if (dims < 2 || dims % 2 != 0 || dims > x.dim(-1)) {
    fail("[rope] dims is {}; wanted an even number from 2 to the {} features of {}", dims,
         x.dim(-1), shape);
  }
  const Dtype dtype = x.dtype() == float64 ? float64 : float32;
  const int64_t half = dims / 2;
  const Array rates = exp(arange(half, dtype) * (-2 * std::log(options.base) / double(dims)));
  const Array positions = (arange(x.dim(-2), dtype) + options.offset) * options.scale;
  const Array angles = outer(positions, rates);
  const Array c = cos(angles), s = sin(angles);

  const Array turned = astype(slice_axis(x, -1, 0, dims), dtype);
  const int64_t step = options.traditional ? 2 : 1, second = options.traditional ? 1 : half;
  const Array a = slice_axis(turned, -1, 0, dims - second, step);
  const Array b = slice_axis(turned, -1, second, dims, step);
  const Arrays pairs = {a * c - b * s, a * s + b * c};
  Array out = options.traditional ? flatten(stack(pairs, -1), -2) : concatenate(pairs, -1);
  out = astype(out, x.dtype());
  if (dims == x.dim(-1)) return out;
  return concatenate({out, slice_axis(x, -1, dims, x.dim(-1))}, -1);
}

}  // namespace mica
