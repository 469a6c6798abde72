#include "core/ops/matmul.h"

#include "core/ops/elementwise.h"
#include "core/ops/mapping.h"
#include "core/ops/view.h"

namespace mica {
namespace {

Shape leading(const Shape& shape) { return Shape(shape.begin(), shape.end() - 2); }

void check_inner(const Shape& a, const Shape& b) {
  const int64_t left = a[a.size() - 1];
  const int64_t right = b.size() == 1 ? b[0] : b[b.size() - 2];
  if (left == right) return;
  fail("[matmul] shapes {} and {}: inner dimensions {} and {} differ", to_string(a), to_string(b),
       left, right);
}

}  // namespace

Specs MatMul::infer(std::span<const Spec> in) const {
  const Shape& a = in[0].shape;
  const Shape& b = in[1].shape;
  MICA_ASSERT(a.size() >= 2 && b.size() >= 2 && in[0].dtype == in[1].dtype);
  check_inner(a, b);
  Shape out = broadcast_shapes(leading(a), leading(b), "matmul");
  out.push_back(a[a.size() - 2]);
  out.push_back(b.back());
  return {{out, in[0].dtype}};
}

Arrays MatMul::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  if (!is_inexact(in[0].dtype())) return {Array(), Array()};
  return {unbroadcast(matmul(g[0], swapaxes(in[1], -1, -2)), in[0].shape()),
          unbroadcast(matmul(swapaxes(in[0], -1, -2), g[0]), in[1].shape())};
}
Arrays MatMul::vmap(const Arrays& in, const Mapped& mapped) const {
  const Arrays aligned = with_equal_ranks(in, mapped);
  return {matmul(aligned[0], aligned[1])};
}

Array matmul(const Array& a, const Array& b) {
  if (a.rank() == 0 || b.rank() == 0) {
    fail("[matmul] shapes {} and {}: a scalar is no matrix; use *", to_string(a.shape()),
         to_string(b.shape()));
  }
  check_inner(a.shape(), b.shape());
  const Dtype dtype = promote(a.dtype(), b.dtype());
  if (is_bool(dtype)) fail("[matmul] got two bool arrays; wanted numbers (astype one of them)");
  const Array x = astype(a, dtype);
  const Array y = astype(b, dtype);

  if (x.rank() == 1) return squeeze(matmul(expand_dims(x, {0}), y), {y.rank() == 1 ? 0 : -2});
  if (y.rank() == 1) return squeeze(matmul(x, expand_dims(y, {1})), {-1});
  if (x.rank() == 2 || y.rank() > 2) return apply(MatMul(), {x, y});
  // One matrix on the right of many: all their rows make one tall matrix.
  Shape out = x.shape();
  out[out.size() - 1] = y.dim(1);
  const Array rows = reshape(x, {size_of(Shape(out.begin(), out.end() - 1)), x.dim(-1)});
  return reshape(apply(MatMul(), {rows, y}), out);
}

}  // namespace mica
