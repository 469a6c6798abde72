#include "nn/norm.h"

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/norm.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "nn/precision.h"

namespace mica::nn {
namespace {

int64_t last_axis(const Shape& input, const char* layer) {
  if (input.size() >= 2) return input.back();
  fail("[{}] got input of shape {}, want (batch, ..., features)", layer, to_string(input));
}

void check_last_axis(const Shape& input, int64_t wanted, const char* layer) {
  if (!input.empty() && input.back() == wanted) return;
  fail("[{}] got input of shape {}, want (..., {})", layer, to_string(input), wanted);
}

}  // namespace

BatchNorm::BatchNorm(int64_t channels, const BatchNormConfig& config) : config(config) {
  check_settings(config, "batch_norm");
  running_mean = zeros({channels});
  running_var = ones({channels});
  if (!config.affine) return;
  weight = ones({channels});
  bias = zeros({channels});
}

BatchNorm::BatchNorm(const BatchNormConfig& config, const Shape& input, const Array&)
    : BatchNorm(last_axis(input, "batch_norm"), config) {}

Array BatchNorm::forward(const Array& input) {
  output_shape(input.shape());  // checks
  const Array x = for_statistics(input);
  if (!is_training()) {
    const Array root = rsqrt(running_var.value + config.eps);
    if (!weight.defined()) return (x - running_mean.value) * root;
    return (x - running_mean.value) * (root * weight) + bias;
  }
  const int64_t count = x.size() / x.dim(-1);
  if (count < 2) {
    fail("[batch_norm] got input of shape {}, want more than one value a channel to train on",
         mica::to_string(x.shape()));
  }
  const BatchNormResult batch = mica::batch_norm(x, weight, bias, config.eps);
  const double n = static_cast<double>(count), m = config.momentum;
  running_mean = (1 - m) * running_mean.value + m * stop_gradient(batch.mean);
  running_var = (1 - m) * running_var.value + m * n / (n - 1) * stop_gradient(batch.variance);
  return batch.y;
}

Shape BatchNorm::output_shape(const Shape& input) const {
  check_last_axis(input, running_mean.value.dim(0), "batch_norm");
  return input;
}

double BatchNorm::flops(const Shape& input) const { return static_cast<double>(size_of(input)); }

LayerNorm::LayerNorm(int64_t features, const LayerNormConfig& config)
    : features(features), config(config) {
  check_settings(config, "layer_norm");
  if (!config.affine) return;
  weight = ones({features});
  bias = zeros({features});
}

LayerNorm::LayerNorm(const LayerNormConfig& config, const Shape& input, const Array&)
    : LayerNorm(last_axis(input, "layer_norm"), config) {}

Array LayerNorm::forward(const Array& x) {
  output_shape(x.shape());  // checks
  return layer_norm(for_statistics(x), weight, bias, config.eps);
}

Shape LayerNorm::output_shape(const Shape& input) const {
  check_last_axis(input, features, "layer_norm");
  return input;
}

double LayerNorm::flops(const Shape& input) const { return static_cast<double>(size_of(input)); }

RmsNorm::RmsNorm(int64_t features, const RmsNormConfig& config)
    : features(features), config(config) {
  check_settings(config, "rms_norm");
  if (config.affine) weight = ones({features});
}

RmsNorm::RmsNorm(const RmsNormConfig& config, const Shape& input, const Array&)
    : RmsNorm(last_axis(input, "rms_norm"), config) {}

Array RmsNorm::forward(const Array& x) {
  output_shape(x.shape());  // checks
  return rms_norm(for_statistics(x), weight, config.eps);
}

Shape RmsNorm::output_shape(const Shape& input) const {
  check_last_axis(input, features, "rms_norm");
  return input;
}

double RmsNorm::flops(const Shape& input) const { return static_cast<double>(size_of(input)); }

GroupNorm::GroupNorm(int64_t channels, const GroupNormConfig& config)
    : channels(channels), config(config) {
  check_settings(config, "group_norm");
  if (channels % config.groups != 0) {
    fail("[group_norm] {} channels do not divide into {} groups", channels, config.groups);
  }
  if (!config.affine) return;
  weight = ones({channels});
  bias = zeros({channels});
}

GroupNorm::GroupNorm(const GroupNormConfig& config, const Shape& input, const Array&)
    : GroupNorm(last_axis(input, "group_norm"), config) {}

Array GroupNorm::forward(const Array& input) {
  output_shape(input.shape());  // checks
  const Array x = for_statistics(input);
  const Array grouped = reshape(x, {x.dim(0), -1, config.groups, channels / config.groups});
  const Array centred = grouped - mean(grouped, {1, 3}, true);
  const Array variance = mean(square(centred), {1, 3}, true);
  const Array y = reshape(centred * rsqrt(variance + config.eps), x.shape());
  return weight.defined() ? y * weight + bias : y;
}

Shape GroupNorm::output_shape(const Shape& input) const {
  if (input.size() < 2) last_axis(input, "group_norm");
  check_last_axis(input, channels, "group_norm");
  return input;
}

double GroupNorm::flops(const Shape& input) const { return static_cast<double>(size_of(input)); }

Array dropout(const Array& x, double p, const Array& key) {
  if (p <= 0) return x;
  if (p >= 1) return x * 0;
  return random::dropout(x, p, key);
}

Dropout::Dropout(const DropoutConfig& config) : config(config) {
  check_settings(config, "dropout");
}

Array Dropout::forward(const Array& x) {
  if (!is_training() || config.p == 0) return x;
  return dropout(x, config.p, random::next_key());
}

Array Dropout::forward(const Array& x, const Array& key) {
  return is_training() ? dropout(x, config.p, key) : x;
}

}  // namespace mica::nn
