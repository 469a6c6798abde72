// Changes that only move pixels.
#include <algorithm>

#include "data/augments.h"

namespace mica::data {
namespace {

/// The index within [0, count) that shows at `i` if the picture is mirrored at its outer pixels.
int64_t reflected(int64_t i, int64_t count) {
  if (count == 1) return 0;
  const int64_t period = 2 * count - 2;
  i = (i % period + period) % period;
  return i < count ? i : period - i;
}

void fill_pixels(float* to, int64_t pixels, const std::vector<float>& colour) {
  for (int64_t i = 0; i < pixels; ++i, to += colour.size()) {
    std::copy(colour.begin(), colour.end(), to);
  }
}

/// to(y, x) = from(y + down, x + right), `colour` outside.
void shift(const FloatImage& from, FloatImage& to, int64_t down, int64_t right,
           const std::vector<float>& colour) {
  const int64_t first = std::clamp<int64_t>(-right, 0, from.width);
  const int64_t last = std::clamp<int64_t>(from.width - right, first, from.width);
  for (int64_t y = 0; y < from.height; ++y) {
    const int64_t source = y + down;
    float* line = to.pixel(y, 0);
    if (source < 0 || source >= from.height || first == last) {
      fill_pixels(line, from.width, colour);
      continue;
    }
    fill_pixels(line, first, colour);
    const float* begin = from.pixel(source, first + right);
    std::copy(begin, begin + (last - first) * from.channels, to.pixel(y, first));
    fill_pixels(to.pixel(y, last), from.width - last, colour);
  }
}

/// The same with pixels of the picture itself outside.
template <class Index>
void shift_indexed(const FloatImage& from, FloatImage& to, int64_t down, int64_t right,
                   const Index& index) {
  for (int64_t y = 0; y < from.height; ++y) {
    const int64_t source = index(y + down, from.height);
    for (int64_t x = 0; x < from.width; ++x) {
      const float* pixel = from.pixel(source, index(x + right, from.width));
      std::copy(pixel, pixel + from.channels, to.pixel(y, x));
    }
  }
}

}  // namespace

void PadCrop::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                    const AugmentContext& context) const {
  const int64_t down = draws.below(2 * pad + 1) - pad;
  const int64_t right = draws.below(2 * pad + 1) - pad;
  if (down == 0 && right == 0) return;
  spare.resize_like(image);
  if (fill == "reflect") {
    shift_indexed(image, spare, down, right, reflected);
  } else if (fill == "edge") {
    shift_indexed(image, spare, down, right,
                  [](int64_t i, int64_t count) { return std::clamp<int64_t>(i, 0, count - 1); });
  } else {
    const std::vector<float> zeros(context.mean.size());
    shift(image, spare, down, right, fill == "mean" ? context.mean : zeros);
  }
  std::swap(image, spare);
}

void Flip::apply(FloatImage& image, FloatImage&, Draws& draws, const AugmentContext&) const {
  if (!draws.chance(p)) return;
  const int64_t line = image.line(), channels = image.channels;
  if (axis == "vertical") {
    for (int64_t y = 0; y < image.height / 2; ++y) {
      float* top = image.pixel(y, 0);
      std::swap_ranges(top, top + line, image.pixel(image.height - 1 - y, 0));
    }
    return;
  }
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width / 2; ++x) {
      float* left = image.pixel(y, x);
      std::swap_ranges(left, left + channels, image.pixel(y, image.width - 1 - x));
    }
  }
}

}  // namespace mica::data
