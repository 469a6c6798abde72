// Changes of where pixels are, and of which are seen.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/augments.h"
#include "data/image_ops.h"

namespace mica::data {
namespace {

Motion scaling(double factor) { return {factor, 0, 0, 0, factor, 0}; }
Motion horizontal_shear(double degrees) {
  return {1, 0, 0, std::tan(degrees * std::numbers::pi / 180), 1, 0};
}
Motion vertical_shear(double degrees) {
  return {1, std::tan(degrees * std::numbers::pi / 180), 0, 0, 1, 0};
}

/// Up to a share of the length, either way, in whole pixels.
double whole_shift(double share, int64_t length, Draws& draws) {
  return std::round(draws.between(-share, share) * static_cast<double>(length));
}

struct Box {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// A rectangle of random area and shape (evenly in the logarithm) within the picture; the whole
/// picture, or nothing, if ten tries do not fit.
Box draw_box(const FloatImage& image, const NumberPair& area, const NumberPair& ratio,
             const Box& otherwise, Draws& draws) {
  const auto pixels = static_cast<double>(image.height * image.width);
  for (int i = 0; i < 10; ++i) {
    const double size = pixels * draws.between(area[0], area[1]);
    const double shape = std::exp(draws.between(std::log(ratio[0]), std::log(ratio[1])));
    Box box;
    box.height = std::llround(std::sqrt(size / shape));
    box.width = std::llround(std::sqrt(size * shape));
    if (box.height < 1 || box.width < 1 || box.height > image.height || box.width > image.width)
      continue;
    box.top = draws.below(image.height - box.height + 1);
    box.left = draws.below(image.width - box.width + 1);
    return box;
  }
  return otherwise;
}

void cover(FloatImage& image, const Box& box, const std::string& fill, Draws& draws,
           const AugmentContext& context) {
  for (int64_t y = box.top; y < box.top + box.height; ++y) {
    for (int64_t x = box.left; x < box.left + box.width; ++x) {
      float* pixel = image.pixel(y, x);
      for (size_t c = 0; c < context.mean.size(); ++c) {
        pixel[c] = fill == "zero" ? 0 : context.mean[c];
        if (fill == "noise") pixel[c] += context.std[c] * static_cast<float>(draws.normal());
      }
    }
  }
}

}  // namespace

void PadCrop::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                    const AugmentContext& context) const {
  const int64_t down = draws.below(2 * pad + 1) - pad;
  const int64_t right = draws.below(2 * pad + 1) - pad;
  shift(image, spare, down, right, Border(fill, context));
}

void ResizedCrop::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                        const AugmentContext& context) const {
  const Box whole = {0, 0, image.height, image.width};
  const Box box = draw_box(image, area, ratio, whole, draws);
  Motion source;
  source.yy = static_cast<double>(box.height) / static_cast<double>(image.height);
  source.xx = static_cast<double>(box.width) / static_cast<double>(image.width);
  // From the picture's centre to the rectangle's.
  source.y0 = static_cast<double>(2 * box.top + box.height - image.height) / 2;
  source.x0 = static_cast<double>(2 * box.left + box.width - image.width) / 2;
  warp(image, spare, source, Border("edge", context));
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

void Rotate::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                   const AugmentContext& context) const {
  const Motion motion = rotation(draws.between(-degrees, degrees));
  warp(image, spare, inverse_of(motion), Border(fill, context));
}

void Translate::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                      const AugmentContext& context) const {
  const double down = whole_shift(share[0], image.height, draws);
  const double right = whole_shift(share[1], image.width, draws);
  shift(image, spare, static_cast<int64_t>(down), static_cast<int64_t>(right),
        Border(fill, context));
}

void Scale::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                  const AugmentContext& context) const {
  const Motion motion = scaling(draws.between(factor[0], factor[1]));
  warp(image, spare, inverse_of(motion), Border(fill, context));
}

void Shear::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                  const AugmentContext& context) const {
  const double angle = draws.between(-degrees, degrees);
  const Motion motion = axis == "vertical" ? vertical_shear(angle) : horizontal_shear(angle);
  warp(image, spare, inverse_of(motion), Border(fill, context));
}

void Affine::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                   const AugmentContext& context) const {
  const Motion turned = rotation(draws.between(-degrees, degrees));
  const Motion slanted = horizontal_shear(draws.between(-shear, shear));
  const Motion scaled = scaling(draws.between(scale[0], scale[1]));
  Motion motion = after(turned, after(slanted, scaled));
  motion.y0 = whole_shift(translate[0], image.height, draws);
  motion.x0 = whole_shift(translate[1], image.width, draws);
  warp(image, spare, inverse_of(motion), Border(fill, context));
}

void Cutout::apply(FloatImage& image, FloatImage&, Draws& draws,
                   const AugmentContext& context) const {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t top = draws.below(image.height) - size / 2;
    const int64_t left = draws.below(image.width) - size / 2;
    Box box;
    box.top = std::max<int64_t>(top, 0);
    box.left = std::max<int64_t>(left, 0);
    box.height = std::min(top + size, image.height) - box.top;
    box.width = std::min(left + size, image.width) - box.left;
    cover(image, box, fill, draws, context);
  }
}

void RandomErasing::apply(FloatImage& image, FloatImage&, Draws& draws,
                          const AugmentContext& context) const {
  if (!draws.chance(p)) return;
  cover(image, draw_box(image, area, ratio, {}, draws), fill, draws, context);
}

}  // namespace mica::data
