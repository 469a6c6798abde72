#include "trainers/predict/resize.h"

#include <algorithm>
#include <cmath>

namespace mica::trainers {
namespace {

// What one new place is made of: entries [begin, begin + weights.size()) of the old line.
struct Mix {
  int64_t begin = 0;
  std::vector<float> weights;
};

std::vector<Mix> mixes(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(scale, 1.0);
  std::vector<Mix> all;
  for (int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    Mix mix;
    mix.begin = std::max<int64_t>(std::llround(center - reach), 0);
    const int64_t end = std::min<int64_t>(std::llround(center + reach), from);
    double sum = 0;
    for (int64_t k = mix.begin; k < end; ++k) {
      const double distance = std::abs((static_cast<double>(k) + 0.5 - center) / reach);
      mix.weights.push_back(static_cast<float>(std::max(1 - distance, 0.0)));
      sum += mix.weights.back();
    }
    for (float& weight : mix.weights) weight /= static_cast<float>(sum);
    all.push_back(std::move(mix));
  }
  return all;
}

// Replaces the middle axis of (outer, places, inner).
std::vector<float> mixed(const std::vector<float>& values, int64_t outer, int64_t places,
                         int64_t inner, int64_t wanted) {
  const std::vector<Mix> all = mixes(places, wanted);
  std::vector<float> result(static_cast<size_t>(outer * wanted * inner));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < wanted; ++i) {
      float* to = result.data() + (o * wanted + i) * inner;
      const Mix& mix = all[static_cast<size_t>(i)];
      for (size_t k = 0; k < mix.weights.size(); ++k) {
        const float* from =
            values.data() + (o * places + mix.begin + static_cast<int64_t>(k)) * inner;
        for (int64_t c = 0; c < inner; ++c) to[c] += mix.weights[k] * from[c];
      }
    }
  }
  return result;
}

}  // namespace

std::vector<uint8_t> resized(std::span<const uint8_t> pixels, const Shape& shape, int64_t height,
                             int64_t width) {
  const int64_t channels = shape[2];
  std::vector<float> values(pixels.begin(), pixels.end());
  values = mixed(values, shape[0], shape[1], channels, width);
  values = mixed(values, 1, shape[0], width * channels, height);
  std::vector<uint8_t> result;
  result.reserve(values.size());
  for (const float value : values) {
    result.push_back(static_cast<uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f)));
  }
  return result;
}

}  // namespace mica::trainers
