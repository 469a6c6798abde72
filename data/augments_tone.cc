// Changes of colours and tones, and RandAugment.
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "data/augments.h"
#include "data/image_ops.h"

namespace mica::data {
namespace {

constexpr double kMagnitudes = 30;

/// A factor from 1 - amount to 1 + amount, not below 0.
float factor(double amount, Draws& draws) {
  return static_cast<float>(draws.between(std::max(0.0, 1 - amount), 1 + amount));
}

/// What RandAugment chooses from.
struct Change {
  FloatImage& image;
  FloatImage& spare;
  double strength;  // 0 to 1
  double sign;      // -1 or 1
  const Border& border;

  void shift_by(double down, double right) const {
    shift(image, spare, std::llround(down), std::llround(right), border);
  }
  /// 0.1 to 1.9.
  float factor() const { return static_cast<float>(1 + sign * 0.9 * strength); }
};

using ChangeFunction = void (*)(const Change&);
/// The pool and its ranges as in torchvision.
constexpr ChangeFunction kPool[] = {
    [](const Change&) {},
    [](const Change& c) {
      warp(c.image, c.spare, {1, 0, 0, -c.sign * 0.3 * c.strength, 1, 0}, c.border);
    },
    [](const Change& c) {
      warp(c.image, c.spare, {1, -c.sign * 0.3 * c.strength, 0, 0, 1, 0}, c.border);
    },
    // At most 150 pixels of 331.
    [](const Change& c) {
      c.shift_by(0, c.sign * c.strength * 150 / 331 * static_cast<double>(c.image.width));
    },
    [](const Change& c) {
      c.shift_by(c.sign * c.strength * 150 / 331 * static_cast<double>(c.image.height), 0);
    },
    [](const Change& c) { warp(c.image, c.spare, rotation(c.sign * 30 * c.strength), c.border); },
    [](const Change& c) { change_brightness(c.image, c.factor()); },
    [](const Change& c) { change_saturation(c.image, c.factor()); },
    [](const Change& c) { change_contrast(c.image, c.factor()); },
    [](const Change& c) { change_sharpness(c.image, c.spare, c.factor()); },
    [](const Change& c) { posterize(c.image, 8 - std::lround(4 * c.strength)); },
    [](const Change& c) { solarize(c.image, static_cast<float>(255 * (1 - c.strength))); },
    [](const Change& c) { autocontrast(c.image); },
    [](const Change& c) { equalize(c.image); },
};

}  // namespace

void ColorJitter::apply(FloatImage& image, FloatImage&, Draws& draws, const AugmentContext&) const {
  const float light = factor(brightness, draws), steep = factor(contrast, draws),
              vivid = factor(saturation, draws);
  const auto turn = static_cast<float>(draws.between(-hue, hue));
  std::array<int, 4> order;
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = 3; i > 0; --i) {
    std::swap(order[i], order[static_cast<size_t>(draws.below(static_cast<int64_t>(i) + 1))]);
  }
  for (const int which : order) {
    if (which == 0) change_brightness(image, light);
    if (which == 1) change_contrast(image, steep);
    if (which == 2) change_saturation(image, vivid);
    if (which == 3) change_hue(image, turn);
  }
}

void Grayscale::apply(FloatImage& image, FloatImage&, Draws& draws, const AugmentContext&) const {
  if (draws.chance(p)) change_saturation(image, 0);
}

void Solarize::apply(FloatImage& image, FloatImage&, Draws& draws, const AugmentContext&) const {
  if (draws.chance(p)) solarize(image, static_cast<float>(threshold));
}

void Posterize::apply(FloatImage& image, FloatImage&, Draws& draws, const AugmentContext&) const {
  if (draws.chance(p)) posterize(image, bits);
}

void Sharpness::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                      const AugmentContext&) const {
  change_sharpness(image, spare, factor(amount, draws));
}

void Autocontrast::apply(FloatImage& image, FloatImage&, Draws& draws,
                         const AugmentContext&) const {
  if (draws.chance(p)) autocontrast(image);
}

void Equalize::apply(FloatImage& image, FloatImage&, Draws& draws, const AugmentContext&) const {
  if (draws.chance(p)) equalize(image);
}

void RandAugment::apply(FloatImage& image, FloatImage& spare, Draws& draws,
                        const AugmentContext& context) const {
  const Border border(fill, context);
  for (int64_t i = 0; i < ops; ++i) {
    const auto chosen = static_cast<size_t>(draws.below(std::size(kPool)));
    kPool[chosen]({image, spare, magnitude / kMagnitudes, draws.sign(), border});
  }
}

}  // namespace mica::data
