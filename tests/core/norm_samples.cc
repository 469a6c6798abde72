#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/norm.h"
#include "tests/core/samples.h"

namespace mica::testing {
namespace {

using Samples = std::vector<Sample>;

constexpr double kEps = 0.1;

// Mean and variance of every channel of x, whose last axis the channels are.
struct Moments {
  Line mean, variance;
  explicit Moments(const Tensor& x) {
    const auto channels = static_cast<size_t>(x.shape.back());
    const double rows = static_cast<double>(x.data.size() / channels);
    mean.assign(channels, 0);
    variance.assign(channels, 0);
    for (size_t i = 0; i < x.data.size(); ++i) mean[i % channels] += x.data[i] / rows;
    for (size_t i = 0; i < x.data.size(); ++i) {
      const double apart = x.data[i] - mean[i % channels];
      variance[i % channels] += apart * apart / rows;
    }
  }
};

Tensor normalised_batch(const Tensors& in) {
  const Moments moments(in[0]);
  Tensor y = in[0];
  for (size_t i = 0; i < y.data.size(); ++i) {
    const size_t c = i % moments.mean.size();
    y.data[i] = (y.data[i] - moments.mean[c]) / std::sqrt(moments.variance[c] + kEps);
    if (in.size() > 1) y.data[i] = y.data[i] * in[1].data[c] + in[2].data[c];
  }
  return y;
}

void add_batch_norm(Samples& samples) {
  for (const Shape& shape : {Shape{4, 3}, Shape{2, 3, 2, 5}}) {
    const Array x = normal_array(shape, 1);
    const Array weight = normal_array({shape.back()}, 2), bias = normal_array({shape.back()}, 3);
    samples.push_back({"batch_norm" + to_string(shape),
                       [](const Arrays& in) { return batch_norm(in[0], in[1], in[2], kEps).y; },
                       {x, weight, bias},
                       normalised_batch});
    samples.push_back({"batch_norm without weights" + to_string(shape),
                       [](const Arrays& in) { return batch_norm(in[0], {}, {}, kEps).y; },
                       {x},
                       normalised_batch});
    samples.push_back({"channel_moments" + to_string(shape),
                       [](const Arrays& in) {
                         const auto [mean, variance] = channel_moments(in[0]);
                         return astype(mean * variance, in[0].dtype());
                       },
                       {x},
                       [](const Tensors& in) {
                         const Moments moments(in[0]);
                         return generate({in[0].shape.back()}, [&](const Shape& i) {
                           const auto c = static_cast<size_t>(i[0]);
                           return moments.mean[c] * moments.variance[c];
                         });
                       }});
  }
}

}  // namespace

std::vector<Sample> norm_samples() {
  Samples samples;
  add_batch_norm(samples);
  return samples;
}

}  // namespace mica::testing
