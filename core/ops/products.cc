#include "core/ops/products.h"

#include "core/ops/complex.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

Array as_vector(const Array& x) { return reshape(x, {x.size()}); }

// x with axes of length 1 in front until it has `rank`.
Array with_rank(const Array& x, int rank) {
  Shape shape(static_cast<size_t>(rank - x.rank()), 1);
  shape.append(x.shape().begin(), x.shape().end());
  return reshape(x, shape);
}

Axes axes_but(const Axes& left_out, int rank) {
  Axes axes;
  for (int axis = 0; axis < rank; ++axis) {
    if (std::find(left_out.begin(), left_out.end(), axis) == left_out.end()) axes.push_back(axis);
  }
  return axes;
}

Shape lengths_of(const Array& x, const Axes& axes) {
  Shape shape;
  for (const int axis : axes) shape.push_back(x.dim(axis));
  return shape;
}

// Checked and counted from the front, in the order given.
Axes counted(const Axes& axes, const Array& x) {
  Axes out;
  for (const int axis : axes) {
    out.push_back(normalize_axis(axis, x.shape().size(), "tensordot"));
    if (std::count(out.begin(), out.end(), out.back()) > 1) {
      fail("[tensordot] axis {} was given twice", out.back());
    }
  }
  return out;
}

}  // namespace

Array outer(const Array& a, const Array& b) {
  return expand_dims(as_vector(a), {1}) * expand_dims(as_vector(b), {0});
}

Array inner(const Array& a, const Array& b) {
  if (a.rank() == 0 || b.rank() == 0) return a * b;
  return tensordot(a, b, {-1}, {-1});
}

Array vecdot(const Array& a, const Array& b, int axis) { return sum(conjugate(a) * b, {axis}); }

Array addmm(const Array& c, const Array& a, const Array& b, double alpha, double beta) {
  return alpha * matmul(a, b) + beta * c;
}

Array kron(const Array& a, const Array& b) {
  const int rank = std::max(a.rank(), b.rank());
  const Array x = with_rank(a, rank), y = with_rank(b, rank);
  Shape of_x, of_y, result;
  for (int i = 0; i < rank; ++i) {
    of_x.push_back(x.dim(i)), of_x.push_back(1);
    of_y.push_back(1), of_y.push_back(y.dim(i));
    result.push_back(x.dim(i) * y.dim(i));
  }
  return reshape(reshape(x, of_x) * reshape(y, of_y), result);
}

Array cross(const Array& a, const Array& b, int axis) {
  const auto parts_of = [&](const Array& x) {
    const int at = normalize_axis(axis, x.shape().size(), "cross");
    if (x.dim(at) != 3) {
      fail("[cross] axis {} of shape {} has not length 3", at, to_string(x.shape()));
    }
    return unstack(x, at);
  };
  const Arrays x = parts_of(a), y = parts_of(b);
  const Arrays parts = {x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2],
                        x[0] * y[1] - x[1] * y[0]};
  return stack(parts, axis);
}

Array tensordot(const Array& a, const Array& b, const Axes& axes_a, const Axes& axes_b) {
  const Axes summed_a = counted(axes_a, a), summed_b = counted(axes_b, b);
  if (lengths_of(a, summed_a) != lengths_of(b, summed_b)) {
    fail("[tensordot] axes of shapes {} and {} that go together have lengths {} and {}",
         to_string(a.shape()), to_string(b.shape()), to_string(lengths_of(a, summed_a)),
         to_string(lengths_of(b, summed_b)));
  }
  const Axes left_a = axes_but(summed_a, a.rank()), left_b = axes_but(summed_b, b.rank());
  Axes order_a = left_a, order_b = summed_b;
  order_a.append(summed_a.begin(), summed_a.end());
  order_b.append(left_b.begin(), left_b.end());
  const Shape rows = lengths_of(a, left_a), columns = lengths_of(b, left_b);
  const int64_t inner = size_of(lengths_of(a, summed_a));
  const Array product = matmul(reshape(transpose(a, order_a), {size_of(rows), inner}),
                               reshape(transpose(b, order_b), {inner, size_of(columns)}));
  Shape result = rows;
  result.append(columns.begin(), columns.end());
  return reshape(product, result);
}

Array tensordot(const Array& a, const Array& b, int axes) {
  if (axes < 0 || axes > std::min(a.rank(), b.rank())) {
    fail("[tensordot] {} axes of shapes {} and {}", axes, to_string(a.shape()),
         to_string(b.shape()));
  }
  Axes last, first;
  for (int i = 0; i < axes; ++i) last.push_back(a.rank() - axes + i), first.push_back(i);
  return tensordot(a, b, last, first);
}

}  // namespace mica
