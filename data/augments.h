// The changes that data/augment.def lists: their settings, and what they do.
#pragma once

#include "data/augment.h"

namespace mica::data {

/// Shifts by up to `pad` pixels a side: what comes into view is `fill`.
struct PadCrop {
  int64_t pad = 4;
  std::string fill = "mean";
  FIELDS(PadCrop, pad, fill)
  static constexpr FieldInfo kFieldInfo[] = {
      {"pixels on every side", 0},
      {.doc = "the training split's mean colour, zeros, the edge's pixels, or the picture mirrored",
       .choices = "mean|zero|edge|reflect"}};
  void apply(FloatImage& image, FloatImage& spare, Draws& draws,
             const AugmentContext& context) const;
};

struct Flip {
  std::string axis = "horizontal";
  double p = 0.5;
  FIELDS(Flip, axis, p)
  static constexpr FieldInfo kFieldInfo[] = {
      {.doc = "which way: left and right, or top and bottom", .choices = "horizontal|vertical"},
      {"share of the examples", 0, 1}};
  void apply(FloatImage& image, FloatImage& spare, Draws& draws,
             const AugmentContext& context) const;
};

}  // namespace mica::data
