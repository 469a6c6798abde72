// What augmentation does to a picture, with every choice made: resampling, colours, tones.
//
//   warp(image, spare, inverse_of(rotation(90)), Border("mean", context));
//   change_contrast(image, 1.5f);
//
// Colours are bytes' values, 0 to 255, and stay within. Of 3 or 4 channels the first three are red,
// green and blue and the fourth is left alone; any other number of channels is treated as that many
// greys, whose saturation and hue cannot change.
#pragma once

#include <string>

#include "data/augment.h"

namespace mica::data {

/// What shows outside of a picture; see data/augments.h.
class Border {
 public:
  Border(const std::string& fill, const AugmentContext& context);
  /// The pixel of any place.
  const float* pixel(const FloatImage& image, int64_t y, int64_t x) const;

 private:
  enum class Kind { kColour, kEdge, kReflect };
  Kind kind_ = Kind::kColour;
  std::vector<float> colour_;
};

/// (y, x) -> (yy y + yx x + y0, xy y + xx x + x0), about the picture's centre.
struct Motion {
  double yy = 1, yx = 0, y0 = 0;
  double xy = 0, xx = 1, x0 = 0;
  friend bool operator==(const Motion&, const Motion&) = default;
};
/// Counterclockwise as one sees it; exact for multiples of 90 degrees.
Motion rotation(double degrees);
/// First `b`, then `a`.
Motion after(const Motion& a, const Motion& b);
/// REQUIRES: the motion can be undone.
Motion inverse_of(const Motion& motion);

/// The new pixel at a place is the old one where `source` sends the place, bilinearly.
void warp(FloatImage& image, FloatImage& spare, const Motion& source, const Border& border);
/// new(y, x) = old(y + down, x + right).
void shift(FloatImage& image, FloatImage& spare, int64_t down, int64_t right, const Border& border);

/// Factors of 1 leave everything as it is.
void change_brightness(FloatImage& image, float factor);
/// Away from, or towards, the mean grey of the picture.
void change_contrast(FloatImage& image, float factor);
/// Away from, or towards, each pixel's own grey.
void change_saturation(FloatImage& image, float factor);
/// `turn` of the colour circle, in [-1, 1].
void change_hue(FloatImage& image, float turn);
/// Away from, or towards, the picture smoothed by 3 x 3 pixels; its border stays.
void change_sharpness(FloatImage& image, FloatImage& spare, float factor);
void solarize(FloatImage& image, float threshold);
void posterize(FloatImage& image, int64_t bits);
void autocontrast(FloatImage& image);
/// As Pillow's ImageOps.equalize.
void equalize(FloatImage& image);

}  // namespace mica::data
