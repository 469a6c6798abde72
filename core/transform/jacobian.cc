#include "core/transform/jacobian.h"

#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/view.h"
#include "core/transform/linearize.h"
#include "core/transform/vmap.h"

namespace mica {
namespace {

Shape joined(Shape first, const Shape& second) {
  first.append(second.begin(), second.end());
  return first;
}

// All arrays of the shape and type of x that have a single 1, stacked.
Array unit_arrays(const Array& x) {
  return reshape(eye(x.size(), -1, x.dtype()), joined({x.size()}, x.shape()));
}

Linearized linearize_unary(const UnaryFunction& f, const Array& x) {
  return linearize([&](const Arrays& in) { return Arrays{f(in[0])}; }, {x});
}

}  // namespace

UnaryFunction jacrev(UnaryFunction f) {
  return [f = std::move(f)](const Array& x) {
    const TracingScope tracing;
    const Linearized at = linearize_unary(f, x);
    const Array& y = at.outputs[0];
    const UnaryFunction row = [&](const Array& u) { return at.pullback({u})[0]; };
    return reshape(vmap(row)(unit_arrays(y)), joined(y.shape(), x.shape()));
  };
}

UnaryFunction jacfwd(UnaryFunction f) {
  return [f = std::move(f)](const Array& x) {
    const TracingScope tracing;
    const Linearized at = linearize_unary(f, x);
    const UnaryFunction column = [&](const Array& t) { return at.pushforward({t})[0]; };
    const Array columns = vmap(column, 0, -1)(unit_arrays(x));
    return reshape(columns, joined(at.outputs[0].shape(), x.shape()));
  };
}

UnaryFunction hessian(UnaryFunction f) { return jacfwd(grad(std::move(f))); }

Array hvp(const UnaryFunction& f, const Array& x, const Array& v) {
  return jvp(grad(f), x, v).second;
}

}  // namespace mica
