#include "core/ops/conv.h"

#include "core/ops/elementwise.h"
#include "core/ops/mapping.h"

namespace mica {
namespace {

void check_options(const Conv2dOptions& o, const char* op) {
  for (int i = 0; i < 2; ++i) {
    if (o.stride[i] < 1) fail("[{}] stride is {}; wanted 1 or more", op, o.stride[i]);
    if (o.padding[i] < 0) fail("[{}] padding is {}; wanted 0 or more", op, o.padding[i]);
    if (o.dilation[i] < 1) fail("[{}] dilation is {}; wanted 1 or more", op, o.dilation[i]);
  }
  if (o.groups < 1) fail("[{}] groups is {}; wanted 1 or more", op, o.groups);
}

void check_rank(const Shape& shape, const char* what, const char* axes, const char* op) {
  if (shape.size() == 4) return;
  fail("[{}] {} has shape {}; wanted four axes {}", op, what, to_string(shape), axes);
}

void check_cotangent(const Shape& got, const Shape& wanted, const char* op) {
  if (got == wanted) return;
  fail("[{}] cotangent has shape {}; wanted {}, the shape of conv2d's result", op, to_string(got),
       to_string(wanted));
}

// Both arrays in their common type.
Arrays promoted(const Array& a, const Array& b, const char* op) {
  const Dtype dtype = promote(a.dtype(), b.dtype());
  if (!is_floating(dtype)) {
    fail("[{}] got {} and {}; wanted floating types", op, a.dtype(), b.dtype());
  }
  return {astype(a, dtype), astype(b, dtype)};
}

// Where every position of a mapped axis has a weight of its own, positions are groups.
Conv2dOptions in_more_groups(Conv2dOptions options, int64_t times) {
  options.groups *= times;
  return options;
}

}  // namespace

Shape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& o, const char* op) {
  check_options(o, op);
  check_rank(x, "input", "(batch, height, width, channels)", op);
  check_rank(weight, "weight", "(out channels, kernel height, kernel width, channels / groups)",
             op);
  if (x[3] != weight[3] * o.groups) {
    fail("[{}] input {} has {} channels; weight {} in {} group{} wants {}", op, to_string(x), x[3],
         to_string(weight), o.groups, o.groups == 1 ? "" : "s", weight[3] * o.groups);
  }
  if (weight[0] % o.groups != 0) {
    fail("[{}] weight {} has {} output channels, which {} groups do not divide", op,
         to_string(weight), weight[0], o.groups);
  }
  Shape out = {x[0], 0, 0, weight[0]};
  for (int i = 0; i < 2; ++i) {
    const int64_t kernel = o.dilation[i] * (weight[i + 1] - 1) + 1;
    const int64_t padded = x[i + 1] + 2 * o.padding[i];
    if (weight[i + 1] < 1 || kernel > padded) {
      fail("[{}] kernel of {} {} (dilation included) does not fit input {} with padding {}", op,
           i == 0 ? "height" : "width", kernel, to_string(x), o.padding[i]);
    }
    out[i + 1] = (padded - kernel) / o.stride[i] + 1;
  }
  return out;
}

Specs Conv2d::infer(std::span<const Spec> in) const {
  return {{conv2d_shape(in[0].shape, in[1].shape, options), in[0].dtype}};
}

Arrays Conv2d::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {conv2d_input(g[0], in[1], in[0].shape(), options),
          conv2d_weight(in[0], g[0], in[1].shape(), options)};
}
Arrays Conv2d::vmap(const Arrays& in, const Mapped& mapped) const {
  const int64_t length = mapped_length(in, mapped);
  if (!mapped[1]) {
    const Array y = conv2d(merge_first_axes(in[0]), in[1], options);
    return {split_first_axis(y, length, in[0].dim(1))};
  }
  const Arrays all = all_mapped(in, mapped);
  const Array y =
      conv2d(mapped_to_channels(all[0]), merge_first_axes(all[1]), in_more_groups(options, length));
  return {channels_to_mapped(y, length, all[1].dim(1))};
}

Specs Conv2dInput::infer(std::span<const Spec> in) const {
  const char* op = "conv2d_input";
  check_cotangent(in[0].shape, conv2d_shape(input_shape, in[1].shape, options, op), op);
  return {{input_shape, in[0].dtype}};
}

// Linear in the cotangent and in the weight, like conv2d in its input and weight.
Arrays Conv2dInput::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {conv2d(g[0], in[1], options), conv2d_weight(g[0], in[0], in[1].shape(), options)};
}
Arrays Conv2dInput::vmap(const Arrays& in, const Mapped& mapped) const {
  const int64_t length = mapped_length(in, mapped);
  Shape merged = input_shape;
  if (!mapped[1]) {
    merged[0] *= length;
    const Array dx = conv2d_input(merge_first_axes(in[0]), in[1], merged, options);
    return {split_first_axis(dx, length, input_shape[0])};
  }
  merged[3] *= length;
  const Arrays all = all_mapped(in, mapped);
  const Array dx = conv2d_input(mapped_to_channels(all[0]), merge_first_axes(all[1]), merged,
                                in_more_groups(options, length));
  return {channels_to_mapped(dx, length, input_shape[3])};
}

Specs Conv2dWeight::infer(std::span<const Spec> in) const {
  const char* op = "conv2d_weight";
  check_cotangent(in[1].shape, conv2d_shape(in[0].shape, weight_shape, options, op), op);
  return {{weight_shape, in[0].dtype}};
}

Arrays Conv2dWeight::vjp(const Arrays& in, const Arrays&, const Arrays& g) const {
  return {conv2d_input(in[1], g[0], in[0].shape(), options), conv2d(in[0], g[0], options)};
}
Arrays Conv2dWeight::vmap(const Arrays& in, const Mapped& mapped) const {
  const int64_t length = mapped_length(in, mapped);
  const Arrays all = all_mapped(in, mapped);
  Shape merged = weight_shape;
  merged[0] *= length;
  const Array dw = conv2d_weight(mapped_to_channels(all[0]), mapped_to_channels(all[1]), merged,
                                 in_more_groups(options, length));
  return {split_first_axis(dw, length, weight_shape[0])};
}

Array conv2d(const Array& x, const Array& weight, const Conv2dOptions& options) {
  return apply(Conv2d(options), promoted(x, weight, "conv2d"));
}

Array conv2d_input(const Array& cotangent, const Array& weight, const Shape& input_shape,
                   const Conv2dOptions& options) {
  return apply(Conv2dInput(options, input_shape), promoted(cotangent, weight, "conv2d_input"));
}

Array conv2d_weight(const Array& x, const Array& cotangent, const Shape& weight_shape,
                    const Conv2dOptions& options) {
  return apply(Conv2dWeight(options, weight_shape), promoted(x, cotangent, "conv2d_weight"));
}

}  // namespace mica
