#include "core/ops/pool.h"

#include "core/ops/mapping.h"

namespace mica {
namespace {

void check_shape(const Shape& got, const Shape& wanted, const char* what, const char* op) {
  if (got == wanted) return;
  fail("[{}] {} has shape {}; wanted {}", op, what, to_string(got), to_string(wanted));
}

void check_floating(Dtype dtype, const char* op) {
  if (!is_floating(dtype)) fail("[{}] got {}; wanted a floating type", op, dtype);
}

}  // namespace

Shape pool2d_shape(const Shape& x, const Pool2dOptions& o, const char* op) {
  if (x.size() != 4) {
    fail("[{}] input has shape {}; wanted four axes (batch, height, width, channels)", op,
         to_string(x));
  }
  Shape out = x;
  for (int i = 0; i < 2; ++i) {
    if (o.kernel[i] < 1) fail("[{}] kernel is {}; wanted 1 or more", op, o.kernel[i]);
    if (o.stride[i] < 1) fail("[{}] stride is {}; wanted 1 or more", op, o.stride[i]);
    // A window that sees nothing but padding has no maximum.
    if (o.padding[i] < 0 || o.padding[i] >= o.kernel[i]) {
      fail("[{}] padding is {}; wanted 0 or more, and less than the kernel's {}", op, o.padding[i],
           o.kernel[i]);
    }
    const int64_t padded = x[i + 1] + 2 * o.padding[i];
    if (o.kernel[i] > padded || x[i + 1] == 0) {
      fail("[{}] kernel of {} {} does not fit input {} with padding {}", op,
           i == 0 ? "height" : "width", o.kernel[i], to_string(x), o.padding[i]);
    }
    out[i + 1] = (padded - o.kernel[i]) / o.stride[i] + 1;
  }
  return out;
}

Specs MaxPool2d::infer(std::span<const Spec> in) const {
  check_floating(in[0].dtype, "max_pool2d");
  return {{pool2d_shape(in[0].shape, options, "max_pool2d"), in[0].dtype}};
}

Arrays MaxPool2d::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {apply(MaxPool2dGradient(options), {in[0], g[0]})};
}
Arrays MaxPool2d::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_in_batch(MaxPool2d(options), in, mapped);
}

Specs MaxPool2dGradient::infer(std::span<const Spec> in) const {
  const char* op = "max_pool2d_gradient";
  check_shape(in[1].shape, pool2d_shape(in[0].shape, options, op), "cotangent", op);
  return {{in[0].shape, in[1].dtype}};
}

// Piecewise constant in x.
Arrays MaxPool2dGradient::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {Array(), apply(MaxPool2dSelect(options), {in[0], g[0]})};
}
Arrays MaxPool2dGradient::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_in_batch(MaxPool2dGradient(options), in, mapped);
}

Specs MaxPool2dSelect::infer(std::span<const Spec> in) const {
  const char* op = "max_pool2d_select";
  check_shape(in[1].shape, in[0].shape, "values", op);
  return {{pool2d_shape(in[0].shape, options, op), in[1].dtype}};
}

Arrays MaxPool2dSelect::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {Array(), apply(MaxPool2dGradient(options), {in[0], g[0]})};
}
Arrays MaxPool2dSelect::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_in_batch(MaxPool2dSelect(options), in, mapped);
}

Specs AvgPool2d::infer(std::span<const Spec> in) const {
  check_floating(in[0].dtype, "avg_pool2d");
  return {{pool2d_shape(in[0].shape, options, "avg_pool2d"), in[0].dtype}};
}

Arrays AvgPool2d::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {apply(AvgPool2dGradient(options, in[0].shape()), {g[0]})};
}
Arrays AvgPool2d::vmap(const Arrays& in, const Mapped& mapped) const {
  return map_in_batch(AvgPool2d(options), in, mapped);
}

Specs AvgPool2dGradient::infer(std::span<const Spec> in) const {
  const char* op = "avg_pool2d_gradient";
  check_shape(in[0].shape, pool2d_shape(input_shape, options, op), "cotangent", op);
  return {{input_shape, in[0].dtype}};
}

Arrays AvgPool2dGradient::vjp(const Arrays&, const Arrays&, const Arrays& g) const {
  return {apply(AvgPool2d(options), {g[0]})};
}
Arrays AvgPool2dGradient::vmap(const Arrays& in, const Mapped& mapped) const {
  Shape merged = input_shape;
  merged[0] *= mapped_length(in, mapped);
  return map_in_batch(AvgPool2dGradient(options, merged), in, mapped);
}

Array max_pool2d(const Array& x, const Pool2dOptions& options) {
  return apply(MaxPool2d(options), {x});
}

Array avg_pool2d(const Array& x, const Pool2dOptions& options) {
  return apply(AvgPool2d(options), {x});
}

}  // namespace mica
