#include "data/image_ops.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mica::data {
namespace {

/// The index within [0, count) that shows at `i` if the picture is mirrored at its outer pixels.
int64_t reflected(int64_t i, int64_t count) {
  if (count == 1) return 0;
  const int64_t period = 2 * count - 2;
  i = (i % period + period) % period;
  return i < count ? i : period - i;
}

double sine_of_degrees(double degrees) {
  const double rest = std::remainder(degrees, 360);
  if (std::abs(rest) == 180 || rest == 0) return 0;
  if (std::abs(rest) == 90) return rest / 90;
  return std::sin(rest * std::numbers::pi / 180);
}

}  // namespace

Border::Border(const std::string& fill, const AugmentContext& context) {
  if (fill == "edge")
    kind_ = Kind::kEdge;
  else if (fill == "reflect")
    kind_ = Kind::kReflect;
  else if (fill == "mean")
    colour_ = context.mean;
  else
    colour_.assign(context.mean.size(), 0.f);
}

const float* Border::pixel(const FloatImage& image, int64_t y, int64_t x) const {
  if (y >= 0 && y < image.height && x >= 0 && x < image.width) return image.pixel(y, x);
  if (kind_ == Kind::kColour) return colour_.data();
  if (kind_ == Kind::kReflect)
    return image.pixel(reflected(y, image.height), reflected(x, image.width));
  return image.pixel(std::clamp<int64_t>(y, 0, image.height - 1),
                     std::clamp<int64_t>(x, 0, image.width - 1));
}

Motion rotation(double degrees) {
  const double sine = sine_of_degrees(degrees), cosine = sine_of_degrees(degrees + 90);
  // y points down.
  return {cosine, -sine, 0, sine, cosine, 0};
}

Motion after(const Motion& a, const Motion& b) {
  return {a.yy * b.yy + a.yx * b.xy, a.yy * b.yx + a.yx * b.xx, a.yy * b.y0 + a.yx * b.x0 + a.y0,
          a.xy * b.yy + a.xx * b.xy, a.xy * b.yx + a.xx * b.xx, a.xy * b.y0 + a.xx * b.x0 + a.x0};
}

Motion inverse_of(const Motion& m) {
  const double area = m.yy * m.xx - m.yx * m.xy;
  Motion result = {m.xx / area, -m.yx / area, 0, -m.xy / area, m.yy / area, 0};
  result.y0 = -(result.yy * m.y0 + result.yx * m.x0);
  result.x0 = -(result.xy * m.y0 + result.xx * m.x0);
  return result;
}

void warp(FloatImage& image, FloatImage& spare, const Motion& source, const Border& border) {
  if (source == Motion()) return;
  spare.resize_like(image);
  const int64_t channels = image.channels;
  const double cy = static_cast<double>(image.height - 1) / 2;
  const double cx = static_cast<double>(image.width - 1) / 2;
  // Far outside all is border; this also keeps the indices within what they can hold.
  const double far = 1e6;
  float* to = spare.values.data();
  for (int64_t y = 0; y < image.height; ++y) {
    const double v = static_cast<double>(y) - cy;
    for (int64_t x = 0; x < image.width; ++x, to += channels) {
      const double u = static_cast<double>(x) - cx;
      const double sy = std::clamp(source.yy * v + source.yx * u + source.y0 + cy, -far, far);
      const double sx = std::clamp(source.xy * v + source.xx * u + source.x0 + cx, -far, far);
      const double top = std::floor(sy), left = std::floor(sx);
      const auto y0 = static_cast<int64_t>(top), x0 = static_cast<int64_t>(left);
      const auto down = static_cast<float>(sy - top), right = static_cast<float>(sx - left);
      const float* p00 = border.pixel(image, y0, x0);
      const float* p01 = border.pixel(image, y0, x0 + 1);
      const float* p10 = border.pixel(image, y0 + 1, x0);
      const float* p11 = border.pixel(image, y0 + 1, x0 + 1);
      for (int64_t c = 0; c < channels; ++c) {
        const float upper = p00[c] * (1 - right) + p01[c] * right;
        const float lower = p10[c] * (1 - right) + p11[c] * right;
        to[c] = upper * (1 - down) + lower * down;
      }
    }
  }
  std::swap(image, spare);
}

void shift(FloatImage& image, FloatImage& spare, int64_t down, int64_t right,
           const Border& border) {
  if (down == 0 && right == 0) return;
  spare.resize_like(image);
  const int64_t channels = image.channels, width = image.width;
  // Columns [first, last) come from within the picture.
  const int64_t first = std::clamp<int64_t>(-right, 0, width);
  const int64_t last = std::clamp<int64_t>(width - right, first, width);
  for (int64_t y = 0; y < image.height; ++y) {
    const auto copy_pixel = [&](int64_t x) {
      const float* from = border.pixel(image, y + down, x + right);
      std::copy(from, from + channels, spare.pixel(y, x));
    };
    for (int64_t x = 0; x < first; ++x) copy_pixel(x);
    if (y + down >= 0 && y + down < image.height) {
      const float* from = image.pixel(y + down, first + right);
      std::copy(from, from + (last - first) * channels, spare.pixel(y, first));
    } else {
      for (int64_t x = first; x < last; ++x) copy_pixel(x);
    }
    for (int64_t x = last; x < width; ++x) copy_pixel(x);
  }
  std::swap(image, spare);
}

}  // namespace mica::data
