#include "nn/linear.h"

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/view.h"
#include "nn/init.h"
#include "nn/precision.h"

namespace mica::nn {
namespace {

int64_t features_of(const Shape& input) {
  if (input.size() < 2) {
    fail("[linear] input must have shape (batch, ..., features), got {}", to_string(input));
  }
  return input.back();
}

}  // namespace

Linear::Linear(int64_t in, int64_t out, bool with_bias, const Array& key) : in(in), out(out) {
  if (in < 1) fail("[linear] in must be at least 1, got {}", in);
  check_settings(LinearConfig{out, with_bias}, "linear");
  const auto [weight_key, bias_key] = random::split(key.defined() ? key : random::next_key());
  weight = init::fan_in_uniform({out, in}, in, weight_key);
  if (with_bias) bias = init::fan_in_uniform({out}, in, bias_key);
}

Linear::Linear(const LinearConfig& config, const Shape& input, const Array& key)
    : Linear(features_of(input), config.out, config.bias, key) {}

Array Linear::forward(const Array& x) {
  output_shape(x.shape());  // checks
  const Array y = matmul(for_product(x), transpose(for_product(weight)));
  return bias.defined() ? y + for_product(bias) : y;
}

Shape Linear::output_shape(const Shape& input) const {
  if (input.empty() || input.back() != in) {
    fail("[linear] got input of shape {}, want (..., {})", mica::to_string(input), in);
  }
  Shape shape = input;
  shape.back() = out;
  return shape;
}

double Linear::flops(const Shape& input) const {
  return 2.0 * static_cast<double>(size_of(input)) * static_cast<double>(out);
}

Embedding::Embedding(int64_t count, int64_t size, const Array& key) {
  check_settings(EmbeddingConfig{count, size}, "embedding");
  weight = init::normal({count, size}, key.defined() ? key : random::next_key());
}

Embedding::Embedding(const EmbeddingConfig& config, const Shape&, const Array& key)
    : Embedding(config.count, config.size, key) {}

Array Embedding::forward(const Array& indices) {
  if (!is_integer(indices.dtype())) {
    fail("[embedding] got input of dtype {}, want integers", indices.dtype());
  }
  return take(weight, indices, 0);
}

Shape Embedding::output_shape(const Shape& input) const {
  Shape shape = input;
  shape.push_back(weight.dim(1));
  return shape;
}

}  // namespace mica::nn
