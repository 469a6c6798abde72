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

Tensor normalised_rows(const Tensors& in, bool centred) {
  const int last = static_cast<int>(in[0].shape.size()) - 1;
  return along(in[0], last, in[0].shape.back(), [&](const Line& line) {
    const double n = static_cast<double>(line.size());
    double mean = 0, variance = 0;
    for (double v : line) mean += centred ? v / n : 0;
    for (double v : line) variance += (v - mean) * (v - mean) / n;
    Line out;
    for (size_t i = 0; i < line.size(); ++i) {
      out.push_back((line[i] - mean) / std::sqrt(variance + kEps));
      if (in.size() > 1) out[i] *= in[1].data[i];
      if (in.size() > 2) out[i] += in[2].data[i];
    }
    return out;
  });
}

void add_row_norms(Samples& samples) {
  for (const Shape& shape : {Shape{5}, Shape{3, 4}, Shape{2, 1, 3}}) {
    const Array x = normal_array(shape, 1);
    const Array weight = normal_array({shape.back()}, 2), bias = normal_array({shape.back()}, 3);
    const auto centred = [](const Tensors& in) { return normalised_rows(in, true); };
    const auto plain = [](const Tensors& in) { return normalised_rows(in, false); };
    const std::string at = to_string(shape);
    samples.push_back({"layer_norm" + at,
                       [](const Arrays& in) { return layer_norm(in[0], in[1], in[2], kEps); },
                       {x, weight, bias},
                       centred});
    samples.push_back({"layer_norm without weights" + at,
                       [](const Arrays& in) { return layer_norm(in[0], {}, {}, kEps); },
                       {x},
                       centred});
    samples.push_back({"rms_norm" + at,
                       [](const Arrays& in) { return rms_norm(in[0], in[1], kEps); },
                       {x, weight},
                       plain});
    samples.push_back({"rms_norm without weight" + at,
                       [](const Arrays& in) { return rms_norm(in[0], {}, kEps); },
                       {x},
                       plain});
  }
}

}  // namespace

std::vector<Sample> norm_samples() {
  Samples samples;
  add_row_norms(samples);
  add_batch_norm(samples);
  return samples;
}

}  // namespace mica::testing
