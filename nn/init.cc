#include "nn/init.h"

#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"

namespace mica::nn::init {
namespace {

Array symmetric(const Shape& shape, const Array& key, double bound) {
  return uniform(shape, key, -bound, bound);
}

// Makes the `count` vectors of length `length` in `q` orthonormal, in order. Projecting twice keeps
// them orthogonal to rounding ("twice is enough", Giraud et al. 2005).
void orthonormalize(std::vector<double>& q, size_t count, size_t length) {
  for (size_t i = 0; i < count; ++i) {
    double* row = q.data() + i * length;
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t j = 0; j < i; ++j) {
        const double* other = q.data() + j * length;
        double dot = 0;
        for (size_t k = 0; k < length; ++k) dot += row[k] * other[k];
        for (size_t k = 0; k < length; ++k) row[k] -= dot * other[k];
      }
    }
    double norm = 0;
    for (size_t k = 0; k < length; ++k) norm += row[k] * row[k];
    for (size_t k = 0; k < length; ++k) row[k] /= std::sqrt(norm);
  }
}

}  // namespace

Fans fans_of(const Shape& shape) {
  if (shape.size() < 2) {
    fail("[init] fans need a weight of rank 2 or more, got shape {}", to_string(shape));
  }
  int64_t window = 1;
  for (size_t i = 1; i + 1 < shape.size(); ++i) window *= shape[i];
  return {shape.back() * window, shape[0] * window};
}

Array constant(const Shape& shape, double value) { return full(shape, value, float32); }

Array uniform(const Shape& shape, const Array& key, double low, double high) {
  return random::uniform(shape, key, low, high);
}

Array normal(const Shape& shape, const Array& key, double mean, double deviation) {
  return random::normal(shape, key) * deviation + mean;
}

Array glorot_uniform(const Shape& shape, const Array& key, double gain) {
  const Fans fans = fans_of(shape);
  return symmetric(shape, key, gain * std::sqrt(6.0 / static_cast<double>(fans.in + fans.out)));
}

Array glorot_normal(const Shape& shape, const Array& key, double gain) {
  const Fans fans = fans_of(shape);
  return normal(shape, key, 0, gain * std::sqrt(2.0 / static_cast<double>(fans.in + fans.out)));
}

Array he_uniform(const Shape& shape, const Array& key) {
  return symmetric(shape, key, std::sqrt(6.0 / static_cast<double>(fans_of(shape).in)));
}

Array he_normal(const Shape& shape, const Array& key) {
  return normal(shape, key, 0, std::sqrt(2.0 / static_cast<double>(fans_of(shape).in)));
}

Array fan_in_uniform(const Shape& shape, int64_t fan_in, const Array& key) {
  return symmetric(shape, key, 1 / std::sqrt(static_cast<double>(fan_in)));
}

Array orthogonal(const Shape& shape, const Array& key, double gain) {
  fans_of(shape);  // checks the rank
  const size_t rows = static_cast<size_t>(shape[0]);
  if (rows == 0) return constant(shape, 0);
  const size_t columns = static_cast<size_t>(size_of(shape)) / rows;
  const size_t count = std::min(rows, columns), length = std::max(rows, columns);
  std::vector<double> q = random::normal(shape, key).to_vector<double>();
  orthonormalize(q, count, length);
  std::vector<float> values(q.size());
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < length; ++k) {
      const size_t at = rows <= columns ? i * length + k : k * count + i;
      values[at] = static_cast<float>(gain * q[i * length + k]);
    }
  }
  return Array::from(values, shape);
}

}  // namespace mica::nn::init
