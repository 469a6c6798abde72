// Initial values for parameters, each from an explicit key.
//
//   layer.weight = nn::init::he_normal(layer.weight.shape(), key);
//
// Fans are counted for weights that have the output first, as Linear (out, in) and Conv2d
// (out, kernel height, kernel width, in / groups): fan_in is the number of inputs that meet in one
// output, fan_out the number of outputs that one input meets. The same key gives the same values.
#pragma once

#include <cstdint>

#include "core/graph/array.h"

namespace mica::nn::init {

struct Fans {
  int64_t in, out;
};
/// Throws Error for shapes of rank below 2.
Fans fans_of(const Shape& shape);

/// The same value everywhere.
Array constant(const Shape& shape, double value);
/// Uniform in [low, high).
Array uniform(const Shape& shape, const Array& key, double low = 0, double high = 1);
Array normal(const Shape& shape, const Array& key, double mean = 0, double deviation = 1);

/// Glorot & Bengio 2010, eq. 16: U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)).
Array glorot_uniform(const Shape& shape, const Array& key, double gain = 1);
/// N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)).
Array glorot_normal(const Shape& shape, const Array& key, double gain = 1);
/// He et al. 2015, eq. 10, for layers followed by relu: U(-a, a), a = sqrt(6 / fan_in).
Array he_uniform(const Shape& shape, const Array& key);
/// N(0, s^2), s = sqrt(2 / fan_in).
Array he_normal(const Shape& shape, const Array& key);
/// U(-a, a), a = 1 / sqrt(fan_in): what PyTorch gives the weights and biases of its layers.
Array fan_in_uniform(const Shape& shape, int64_t fan_in, const Array& key);
/// Saxe et al. 2014: with the axes after the first flattened, the rows are orthonormal (the
/// columns, where there are more rows than columns), times `gain`. Evaluates; cost rows x columns x
/// min(rows, columns) on one thread.
Array orthogonal(const Shape& shape, const Array& key, double gain = 1);

}  // namespace mica::nn::init
