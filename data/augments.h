// The changes that data/augment.def lists: their settings, and what they do.
//
// `fill` says what shows where the picture has no pixels: the training split's mean colour, zeros,
// the nearest pixel of the edge, or the picture mirrored at its edge.
#pragma once

#include "data/augment.h"

namespace mica::data {

#define APPLY                                                                                   \
  void apply(FloatImage& image, FloatImage& spare, Draws& draws, const AugmentContext& context) \
      const;
#define FILL_INFO                                                                \
  {                                                                              \
    .doc = "the mean colour, zeros, the edge's pixels, or the picture mirrored", \
    .choices = "mean|zero|edge|reflect"                                          \
  }

/// Shifts by up to `pad` pixels a side.
struct PadCrop {
  static constexpr Needs kNeeds = Needs::kImages;
  int64_t pad = 4;
  std::string fill = "mean";
  FIELDS(PadCrop, pad, fill)
  static constexpr FieldInfo kFieldInfo[] = {{"pixels on every side", 0}, FILL_INFO};
  APPLY
};

struct ResizedCrop {
  static constexpr Needs kNeeds = Needs::kImages;
  NumberPair area = {0.08, 1};
  NumberPair ratio = {0.75, 4.0 / 3};
  FIELDS(ResizedCrop, area, ratio)
  static constexpr FieldInfo kFieldInfo[] = {{"smallest and largest share of the picture", 1e-6, 1},
                                             {"smallest and largest width : height", 1e-6, 1e6}};
  APPLY
};

struct Flip {
  static constexpr Needs kNeeds = Needs::kImages;
  std::string axis = "horizontal";
  double p = 0.5;
  FIELDS(Flip, axis, p)
  static constexpr FieldInfo kFieldInfo[] = {
      {.doc = "which way: left and right, or top and bottom", .choices = "horizontal|vertical"},
      {"share of the examples", 0, 1}};
  APPLY
};

struct Rotate {
  static constexpr Needs kNeeds = Needs::kImages;
  double degrees = 15;
  std::string fill = "mean";
  FIELDS(Rotate, degrees, fill)
  static constexpr FieldInfo kFieldInfo[] = {{"at most, either way", 0, 180}, FILL_INFO};
  APPLY
};

struct Translate {
  static constexpr Needs kNeeds = Needs::kImages;
  NumberPair share = {0.1, 0.1};
  std::string fill = "mean";
  FIELDS(Translate, share, fill)
  static constexpr FieldInfo kFieldInfo[] = {{"of height and width, at most, either way", 0, 1},
                                             FILL_INFO};
  APPLY
};

struct Scale {
  static constexpr Needs kNeeds = Needs::kImages;
  NumberPair factor = {0.9, 1.1};
  std::string fill = "mean";
  FIELDS(Scale, factor, fill)
  static constexpr FieldInfo kFieldInfo[] = {{"smallest and largest", 1e-3, 1e3}, FILL_INFO};
  APPLY
};

struct Shear {
  static constexpr Needs kNeeds = Needs::kImages;
  double degrees = 10;
  std::string axis = "horizontal";
  std::string fill = "mean";
  FIELDS(Shear, degrees, axis, fill)
  static constexpr FieldInfo kFieldInfo[] = {
      {"at most, either way", 0, 80},
      {.doc = "which way lines move", .choices = "horizontal|vertical"},
      FILL_INFO};
  APPLY
};

struct Affine {
  static constexpr Needs kNeeds = Needs::kImages;
  double degrees = 0;
  NumberPair translate = {0, 0};
  NumberPair scale = {1, 1};
  double shear = 0;
  std::string fill = "mean";
  FIELDS(Affine, degrees, translate, scale, shear, fill)
  static constexpr FieldInfo kFieldInfo[] = {
      {"of rotation, at most, either way", 0, 180},
      {"share of height and width, at most, either way", 0, 1},
      {"smallest and largest factor", 1e-3, 1e3},
      {"degrees of slant, at most, either way", 0, 80},
      FILL_INFO};
  APPLY
};

/// Each as torchvision's ColorJitter does it.
struct ColorJitter {
  static constexpr Needs kNeeds = Needs::kByteImages;
  double brightness = 0.2;
  double contrast = 0.2;
  double saturation = 0.2;
  double hue = 0.05;
  FIELDS(ColorJitter, brightness, contrast, saturation, hue)
  static constexpr FieldInfo kFieldInfo[] = {
      {"factors from 1 - x to 1 + x", 0},
      {"factors from 1 - x to 1 + x", 0},
      {"factors from 1 - x to 1 + x", 0},
      {"share of the colour circle, at most, either way", 0, 0.5}};
  APPLY
};

struct Grayscale {
  static constexpr Needs kNeeds = Needs::kByteImages;
  double p = 0.1;
  FIELDS(Grayscale, p)
  static constexpr FieldInfo kFieldInfo[] = {{"share of the examples", 0, 1}};
  APPLY
};

struct Solarize {
  static constexpr Needs kNeeds = Needs::kByteImages;
  double threshold = 128;
  double p = 0.5;
  FIELDS(Solarize, threshold, p)
  static constexpr FieldInfo kFieldInfo[] = {{"values from this on are inverted", 0, 256},
                                             {"share of the examples", 0, 1}};
  APPLY
};

struct Posterize {
  static constexpr Needs kNeeds = Needs::kByteImages;
  int64_t bits = 4;
  double p = 0.5;
  FIELDS(Posterize, bits, p)
  static constexpr FieldInfo kFieldInfo[] = {{"bits kept of 8", 1, 8},
                                             {"share of the examples", 0, 1}};
  APPLY
};

struct Sharpness {
  static constexpr Needs kNeeds = Needs::kByteImages;
  double amount = 0.5;
  FIELDS(Sharpness, amount)
  static constexpr FieldInfo kFieldInfo[] = {{"factors from 1 - x to 1 + x; 0 is blurred", 0}};
  APPLY
};

struct Autocontrast {
  static constexpr Needs kNeeds = Needs::kByteImages;
  double p = 0.5;
  FIELDS(Autocontrast, p)
  static constexpr FieldInfo kFieldInfo[] = {{"share of the examples", 0, 1}};
  APPLY
};

struct Equalize {
  static constexpr Needs kNeeds = Needs::kByteImages;
  double p = 0.5;
  FIELDS(Equalize, p)
  static constexpr FieldInfo kFieldInfo[] = {{"share of the examples", 0, 1}};
  APPLY
};

/// Kinds and ranges as in torchvision: nothing, both shears, both translations, rotation,
/// brightness, colour, contrast, sharpness, posterize, solarize, autocontrast, equalize.
struct RandAugment {
  static constexpr Needs kNeeds = Needs::kByteImages;
  int64_t ops = 2;
  double magnitude = 9;
  std::string fill = "mean";
  FIELDS(RandAugment, ops, magnitude, fill)
  static constexpr FieldInfo kFieldInfo[] = {
      {"changes of an example", 0, 16}, {"how strong, from 0 to 30", 0, 30}, FILL_INFO};
  APPLY
};

struct Cutout {
  static constexpr Needs kNeeds = Needs::kImages;
  int64_t size = 8;
  int64_t count = 1;
  std::string fill = "mean";
  FIELDS(Cutout, size, count, fill)
  static constexpr FieldInfo kFieldInfo[] = {
      {"pixels a side; what lies beyond the edge is cut off", 0},
      {"squares", 0},
      {.doc = "mean colour, zeros, or noise of the data's mean and deviation",
       .choices = "mean|zero|noise"}};
  APPLY
};

struct RandomErasing {
  static constexpr Needs kNeeds = Needs::kImages;
  double p = 0.5;
  NumberPair area = {0.02, 0.33};
  NumberPair ratio = {0.3, 10.0 / 3};
  std::string fill = "noise";
  FIELDS(RandomErasing, p, area, ratio, fill)
  static constexpr FieldInfo kFieldInfo[] = {
      {"share of the examples", 0, 1},
      {"smallest and largest share of the picture", 1e-6, 1},
      {"smallest and largest width : height", 1e-6, 1e6},
      {.doc = "mean colour, zeros, or noise of the data's mean and deviation",
       .choices = "mean|zero|noise"}};
  APPLY
};

struct Mixup {
  static constexpr Needs kNeeds = Needs::kAnything;
  double alpha = 0.2;
  double p = 1;
  FIELDS(Mixup, alpha, p)
  static constexpr FieldInfo kFieldInfo[] = {{"weights are drawn from Beta(alpha, alpha)", 0.01},
                                             {"share of the batches", 0, 1}};
  /// One draw for a whole batch.
  Mix mix(const Shape& sample, Draws& draws) const;
};

struct Cutmix {
  static constexpr Needs kNeeds = Needs::kImages;
  double alpha = 1;
  double p = 1;
  FIELDS(Cutmix, alpha, p)
  static constexpr FieldInfo kFieldInfo[] = {
      {"shares of the picture are drawn from Beta(alpha, alpha)", 0.01},
      {"share of the batches", 0, 1}};
  /// One draw for a whole batch.
  Mix mix(const Shape& sample, Draws& draws) const;
};

#undef APPLY
#undef FILL_INFO

}  // namespace mica::data
