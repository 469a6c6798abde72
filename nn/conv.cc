#include "nn/conv.h"

#include "core/base/error.h"
#include "core/ops/conv_nd.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "nn/init.h"
#include "nn/precision.h"

namespace mica::nn {
namespace {

int64_t channels_of(const Shape& input, const char* layer) {
  check_image(input, layer);
  return input.back();
}

// Height (axis 0) or width (axis 1) after a window has passed over it.
int64_t window_count(const Shape& input, size_t axis, const Pair& kernel, const Pair& stride,
                     const Pair& padding, const Pair& dilation, const char* layer) {
  const int64_t window = dilation[axis] * (kernel[axis] - 1) + 1;
  const int64_t room = input[axis + 1] + 2 * padding[axis] - window;
  if (room < 0) {
    fail("[{}] got input of shape {}, want a {} of at least {} for kernel {}", layer,
         to_string(input), axis == 0 ? "height" : "width", window - 2 * padding[axis],
         kernel[axis]);
  }
  return room / stride[axis] + 1;
}

Shape pooled_shape(const Shape& input, const Pool2dOptions& options, const char* layer) {
  check_image(input, layer);
  Shape shape = input;
  for (size_t axis = 0; axis < 2; ++axis) {
    shape[axis + 1] =
        window_count(input, axis, options.kernel, options.stride, options.padding, {1, 1}, layer);
  }
  return shape;
}

double pool_flops(const Shape& output, const Pool2dOptions& options) {
  return static_cast<double>(size_of(output) * options.kernel[0] * options.kernel[1]);
}

Pool2dOptions options_of(const Pool2dConfig& config, const char* layer) {
  check_settings(config, layer);
  Pool2dOptions options{config.kernel, config.stride, config.padding};
  for (size_t axis = 0; axis < 2; ++axis) {
    if (options.stride[axis] == 0) options.stride[axis] = options.kernel[axis];
    if (2 * options.padding[axis] > options.kernel[axis]) {
      fail("[{}] padding {} is more than half of kernel {}", layer, options.padding[axis],
           options.kernel[axis]);
    }
  }
  return options;
}

}  // namespace

void check_image(const Shape& input, const char* layer) {
  if (input.size() == 4) return;
  fail("[{}] got input of shape {}, want (batch, height, width, channels)", layer,
       mica::to_string(input));
}

Conv2d::Conv2d(int64_t in, const Conv2dConfig& config, const Array& key) : in(in), config(config) {
  check_settings(config, "conv2d");
  const auto [out, kernel, stride, padding, dilation, groups, with_bias] = config.fields();
  if (in < 1) fail("[conv2d] in must be at least 1, got {}", in);
  if (in % groups != 0 || out % groups != 0) {
    fail("[conv2d] {} channels in and {} out do not divide into {} groups", in, out, groups);
  }
  const auto [weight_key, bias_key] = random::split(key.defined() ? key : random::next_key());
  const int64_t fan_in = kernel[0] * kernel[1] * (in / groups);
  weight = init::fan_in_uniform({out, kernel[0], kernel[1], in / groups}, fan_in, weight_key);
  if (with_bias) bias = init::fan_in_uniform({out}, fan_in, bias_key);
}

Conv2d::Conv2d(const Conv2dConfig& config, const Shape& input, const Array& key)
    : Conv2d(channels_of(input, "conv2d"), config, key) {}

Array Conv2d::forward(const Array& x) {
  output_shape(x.shape());  // checks
  const Array y = conv2d(for_product(x), for_product(weight),
                         {config.stride, config.padding, config.dilation, config.groups});
  return bias.defined() ? y + for_product(bias) : y;
}

Shape Conv2d::output_shape(const Shape& input) const {
  check_image(input, "conv2d");
  if (input.back() != in) {
    fail("[conv2d] got input of shape {}, want {} channels", mica::to_string(input), in);
  }
  Shape shape = input;
  for (size_t axis = 0; axis < 2; ++axis) {
    shape[axis + 1] = window_count(input, axis, config.kernel, config.stride, config.padding,
                                   config.dilation, "conv2d");
  }
  shape.back() = config.out;
  return shape;
}

double Conv2d::flops(const Shape& input) const {
  const double window = static_cast<double>(weight.size() / config.out);
  return 2.0 * static_cast<double>(size_of(output_shape(input))) * window;
}

ConvTranspose2d::ConvTranspose2d(int64_t in, const ConvTranspose2dConfig& config, const Array& key)
    : in(in), config(config) {
  check_settings(config, "conv_transpose2d");
  const auto [out, kernel, stride, padding, output_padding, groups, with_bias] = config.fields();
  if (in < 1) fail("[conv_transpose2d] in must be at least 1, got {}", in);
  if (in % groups != 0 || out % groups != 0) {
    fail("[conv_transpose2d] {} channels in and {} out do not divide into {} groups", in, out,
         groups);
  }
  for (size_t axis = 0; axis < 2; ++axis) {
    if (output_padding[axis] < stride[axis]) continue;
    fail("[conv_transpose2d] output_padding {} must be less than stride {}", output_padding[axis],
         stride[axis]);
  }
  const auto [weight_key, bias_key] = random::split(key.defined() ? key : random::next_key());
  const int64_t fan_in = kernel[0] * kernel[1] * (out / groups);  // as PyTorch counts
  weight = init::fan_in_uniform({in, kernel[0], kernel[1], out / groups}, fan_in, weight_key);
  if (with_bias) bias = init::fan_in_uniform({out}, fan_in, bias_key);
}

ConvTranspose2d::ConvTranspose2d(const ConvTranspose2dConfig& config, const Shape& input,
                                 const Array& key)
    : ConvTranspose2d(channels_of(input, "conv_transpose2d"), config, key) {}

Array ConvTranspose2d::forward(const Array& x) {
  output_shape(x.shape());  // checks
  const Conv2dOptions options{
      .stride = config.stride, .padding = config.padding, .groups = config.groups};
  const Array y =
      conv_transpose2d(for_product(x), for_product(weight), options, config.output_padding);
  return bias.defined() ? y + for_product(bias) : y;
}

Shape ConvTranspose2d::output_shape(const Shape& input) const {
  check_image(input, "conv_transpose2d");
  if (input.back() != in) {
    fail("[conv_transpose2d] got input of shape {}, want {} channels", mica::to_string(input), in);
  }
  Shape shape = input;
  for (size_t axis = 0; axis < 2; ++axis) {
    shape[axis + 1] = (input[axis + 1] - 1) * config.stride[axis] - 2 * config.padding[axis] +
                      config.kernel[axis] + config.output_padding[axis];
    if (shape[axis + 1] > 0) continue;
    fail("[conv_transpose2d] got input of shape {}, of which padding {} leaves nothing",
         mica::to_string(input), config.padding[axis]);
  }
  shape.back() = config.out;
  return shape;
}

double ConvTranspose2d::flops(const Shape& input) const {
  return 2.0 * static_cast<double>(size_of(input)) * static_cast<double>(weight.size() / in);
}

MaxPool2d::MaxPool2d(const Pool2dConfig& config) : options(options_of(config, "max_pool2d")) {}

Array MaxPool2d::forward(const Array& x) {
  output_shape(x.shape());  // checks
  return max_pool2d(x, options);
}

Shape MaxPool2d::output_shape(const Shape& input) const {
  return pooled_shape(input, options, "max_pool2d");
}

double MaxPool2d::flops(const Shape& input) const {
  return pool_flops(output_shape(input), options);
}

AvgPool2d::AvgPool2d(const Pool2dConfig& config) : options(options_of(config, "avg_pool2d")) {}

Array AvgPool2d::forward(const Array& x) {
  output_shape(x.shape());  // checks
  return avg_pool2d(x, options);
}

Shape AvgPool2d::output_shape(const Shape& input) const {
  return pooled_shape(input, options, "avg_pool2d");
}

double AvgPool2d::flops(const Shape& input) const {
  return pool_flops(output_shape(input), options);
}

}  // namespace mica::nn
