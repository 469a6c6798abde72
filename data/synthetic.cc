#include "core/base/error.h"
#include "data/dataset.h"
#include "data/sampler.h"
#include "data/statistics.h"

namespace mica::data {
namespace {

// Streams of random numbers that a seed stands for.
enum Stream : uint64_t { kWeights = 1, kExamples = 2, kNoise = 3 };

HostTensor normals(const Shape& shape, uint64_t key) {
  HostTensor tensor(Dtype::kFloat32, shape);
  const std::span<float> values = tensor.as<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(random_normal(key, i));
  }
  return tensor;
}

}  // namespace

SyntheticRegression synthetic_regression(int64_t examples, int64_t features, double noise,
                                         uint64_t seed) {
  if (examples < 1 || features < 1 || noise < 0) {
    fail(
        "[synthetic_regression] wanted at least 1 example and feature and noise >= 0, got {}, {} "
        "and {}",
        examples, features, noise);
  }
  const HostTensor weights = normals({features, 1}, random_key(seed, kWeights));
  Split split;
  split.x = normals({examples, features}, random_key(seed, kExamples));
  split.y = HostTensor(Dtype::kFloat32, {examples, 1});
  const uint64_t noise_key = random_key(seed, kNoise);
  const std::span<const float> w = weights.as<float>();
  const std::span<const float> x = split.x.as<float>();
  for (size_t row = 0; row < static_cast<size_t>(examples); ++row) {
    double value = noise * random_normal(noise_key, row);
    for (size_t i = 0; i < w.size(); ++i)
      value += static_cast<double>(x[row * w.size() + i]) * w[i];
    split.y.as<float>()[row] = static_cast<float>(value);
  }
  DatasetInfo info;
  info.task = Task::kRegression;
  info.source = "synthetic_regression";
  info.source_sha256 = fmt::format("examples={} features={} noise={}", examples, features, noise);
  info.split_method = "all for training";
  info.seed = static_cast<int64_t>(seed);
  info.target_names = {"y"};
  set_statistics(info, split);
  return {Dataset::from_memory(std::move(info), {{"train", std::move(split)}}), weights};
}

}  // namespace mica::data
