// Changes that make one example of two.
#include <algorithm>
#include <cmath>

#include "core/runtime/parallel.h"
#include "data/augments.h"

namespace mica::data {
namespace {

constexpr int64_t kValuesPerTask = 1 << 15;

}  // namespace

Mix Mixup::mix(const Shape&, Draws& draws) const {
  Mix mix;
  if (draws.chance(p)) mix.weight = draws.beta(alpha);
  return mix;
}

Mix Cutmix::mix(const Shape& sample, Draws& draws) const {
  Mix mix;
  if (!draws.chance(p)) return mix;
  const int64_t height = sample[0], width = sample[1];
  const double side = std::sqrt(1 - draws.beta(alpha));
  const int64_t tall = std::llround(side * static_cast<double>(height));
  const int64_t wide = std::llround(side * static_cast<double>(width));
  const int64_t top = draws.below(height) - tall / 2, left = draws.below(width) - wide / 2;
  mix.cut = true;
  mix.top = std::max<int64_t>(top, 0);
  mix.left = std::max<int64_t>(left, 0);
  mix.height = std::min(top + tall, height) - mix.top;
  mix.width = std::min(left + wide, width) - mix.left;
  // What lies beyond the edge does not count.
  mix.weight =
      1 - static_cast<double>(mix.height * mix.width) / static_cast<double>(height * width);
  return mix;
}

void mix_rows(HostTensor& x, std::span<const int64_t> partners, const Mix& mix) {
  if (mix.weight == 1) return;
  const HostTensor old = x;
  const int64_t values = static_cast<int64_t>(x.row_bytes() / sizeof(float));
  const int64_t line = mix.cut ? x.shape[2] * x.shape[3] : 0;
  const float own = static_cast<float>(mix.weight), others = static_cast<float>(1 - mix.weight);
  parallel_for(x.rows(), std::max<int64_t>(kValuesPerTask / std::max<int64_t>(values, 1), 1),
               [&](int64_t first, int64_t last) {
                 for (int64_t row = first; row < last; ++row) {
                   float* to = x.as<float>().data() + row * values;
                   const float* from =
                       old.as<float>().data() + partners[static_cast<size_t>(row)] * values;
                   if (!mix.cut) {
                     for (int64_t i = 0; i < values; ++i) to[i] = own * to[i] + others * from[i];
                     continue;
                   }
                   const int64_t channels = x.shape[3];
                   for (int64_t y = mix.top; y < mix.top + mix.height; ++y) {
                     const int64_t begin = y * line + mix.left * channels;
                     std::copy_n(from + begin, mix.width * channels, to + begin);
                   }
                 }
               });
}

}  // namespace mica::data
