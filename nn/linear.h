// The affine layer and the table of vectors.
//
//   nn::Linear fc(784, 256);                 // weight (256, 784), bias (256,)
//   Array y = fc(x);                         // (..., 784) -> (..., 256)
//   nn::Embedding words(10'000, 64);         // (...) integers -> (..., 64)
//
// Initial weights are PyTorch's: U(-k, k) with k = 1 / sqrt(in) for Linear, N(0, 1) for Embedding.
// A key that is not given is the next of this thread's default sequence.
#pragma once

#include "core/base/settings.h"
#include "nn/module.h"

namespace mica::nn {

struct LinearConfig {
  int64_t out = 0;
  bool bias = true;
  FIELDS(LinearConfig, out, bias)
  static constexpr FieldInfo kFieldInfo[] = {{"features out", 1}, {"add a trained bias"}};
};

/// y = x W^T + b.  (..., in) -> (..., out).
class Linear : public ModuleWith<Linear> {
 public:
  Linear(int64_t in, int64_t out, bool bias = true, const Array& key = {});
  Linear(const LinearConfig& config, const Shape& input, const Array& key);

  int64_t in, out;
  Array weight;  // (out, in)
  Array bias;    // (out,), undefined without bias
  FIELDS(Linear, in, out, weight, bias)

  Array forward(const Array& x) override;
  Shape output_shape(const Shape& input) const override;
  double flops(const Shape& input) const override;
};

struct EmbeddingConfig {
  int64_t count = 0;
  int64_t size = 0;
  FIELDS(EmbeddingConfig, count, size)
  static constexpr FieldInfo kFieldInfo[] = {{"vectors in the table", 1},
                                             {"length of a vector", 1}};
};

/// Rows of a table: (...) integers in [0, count) -> (..., size).
class Embedding : public ModuleWith<Embedding> {
 public:
  Embedding(int64_t count, int64_t size, const Array& key = {});
  Embedding(const EmbeddingConfig& config, const Shape& input, const Array& key);

  Array weight;  // (count, size)
  FIELDS(Embedding, weight)

  Array forward(const Array& indices) override;
  Shape output_shape(const Shape& input) const override;
};

}  // namespace mica::nn
