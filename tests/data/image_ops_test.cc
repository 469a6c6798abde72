// Resampling and colours against naive references and what must hold.
#include "data/image_ops.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/data/augment_testing.h"

namespace mica::data {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

const AugmentContext kContext = {{-1, -2, -3, -4}, {1, 1, 1, 1}};

FloatImage warped(FloatImage image, const Motion& source, const std::string& fill = "mean") {
  FloatImage spare;
  warp(image, spare, source, Border(fill, kContext));
  return image;
}

double mean_grey(const FloatImage& image) {
  double sum = 0;
  for (int64_t i = 0; i < image.height * image.width; ++i) {
    const float* p = image.values.data() + i * image.channels;
    sum += image.channels == 3 ? 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] : p[0];
  }
  return sum / static_cast<double>(image.height * image.width);
}

TEST(Warp, ByNothingLeavesTheBits) {
  const FloatImage image = random_image(6, 5, 3);
  EXPECT_EQ(warped(image, Motion()).values, image.values);
  EXPECT_EQ(warped(image, inverse_of(rotation(0))).values, image.values);
  EXPECT_EQ(warped(image, rotation(360)).values, image.values);
}

TEST(Warp, TurnsByARightAngleExactly) {
  const FloatImage image = random_image(7, 7, 2);
  const FloatImage turned = warped(image, inverse_of(rotation(90)));
  for (int64_t y = 0; y < 7; ++y) {
    for (int64_t x = 0; x < 7; ++x) {
      // Counterclockwise: the right column becomes the top row.
      for (int c = 0; c < 2; ++c) EXPECT_EQ(turned.pixel(y, x)[c], image.pixel(x, 6 - y)[c]);
    }
  }
  const FloatImage half = warped(image, rotation(180));
  std::vector<float> reversed;
  for (int64_t i = 48; i >= 0; --i) {
    reversed.insert(reversed.end(), {image.pixel(i / 7, i % 7)[0], image.pixel(i / 7, i % 7)[1]});
  }
  EXPECT_EQ(half.values, reversed);
  EXPECT_EQ(warped(turned, rotation(90)).values, image.values);
}

// Bilinear interpolation as its definition says: every pixel of a padded picture by its weight.
TEST(Warp, EqualsTheDefinition) {
  const FloatImage image = random_image(5, 6, 3);
  const Motion source = after(rotation(33), {1.3, 0.2, 0.7, -0.1, 0.8, -1.4});
  for (const std::string fill : {"mean", "zero", "edge", "reflect"}) {
    const Border border(fill, kContext);
    const FloatImage result = warped(image, source, fill);
    for (int64_t y = 0; y < 5; ++y) {
      for (int64_t x = 0; x < 6; ++x) {
        const double v = static_cast<double>(y) - 2, u = static_cast<double>(x) - 2.5;
        const double sy = source.yy * v + source.yx * u + source.y0 + 2;
        const double sx = source.xy * v + source.xx * u + source.x0 + 2.5;
        for (int c = 0; c < 3; ++c) {
          double expected = 0;
          for (int64_t i = -20; i < 25; ++i) {
            for (int64_t j = -20; j < 25; ++j) {
              const double weight = std::max(0.0, 1 - std::abs(sy - static_cast<double>(i))) *
                                    std::max(0.0, 1 - std::abs(sx - static_cast<double>(j)));
              if (weight > 0) expected += weight * border.pixel(image, i, j)[c];
            }
          }
          EXPECT_NEAR(result.pixel(y, x)[c], expected, 1e-3) << fill;
        }
      }
    }
  }
}

TEST(Warp, ByWholePixelsIsAShift) {
  const FloatImage image = random_image(6, 5, 3);
  for (const std::string fill : {"mean", "zero", "edge", "reflect"}) {
    FloatImage shifted = image, spare;
    shift(shifted, spare, 2, -3, Border(fill, kContext));
    EXPECT_EQ(warped(image, {1, 0, 2, 0, 1, -3}, fill).values, shifted.values) << fill;
  }
}

TEST(Motion, UndoesItself) {
  const Motion motion = after(rotation(50), {1.5, 0.3, 2, -0.2, 0.7, -1});
  const Motion nothing = after(inverse_of(motion), motion);
  EXPECT_NEAR(nothing.yy, 1, 1e-12);
  EXPECT_NEAR(nothing.yx, 0, 1e-12);
  EXPECT_NEAR(nothing.y0, 0, 1e-12);
  EXPECT_NEAR(nothing.xy, 0, 1e-12);
  EXPECT_NEAR(nothing.xx, 1, 1e-12);
  EXPECT_NEAR(nothing.x0, 0, 1e-12);
}

/// Away from the ends of the range, so that nothing is clipped.
FloatImage middling_image(int64_t channels) {
  FloatImage image = random_image(8, 9, channels);
  for (float& value : image.values) value = 90 + value / 4;
  return image;
}

TEST(Colours, FactorsOfOneLeaveTheBits) {
  const FloatImage image = random_image(6, 5, 3);
  FloatImage changed = image, spare;
  change_brightness(changed, 1);
  change_contrast(changed, 1);
  change_saturation(changed, 1);
  change_hue(changed, 0);
  change_sharpness(changed, spare, 1);
  posterize(changed, 8);
  solarize(changed, 256);
  EXPECT_EQ(changed.values, image.values);
}

TEST(Colours, ContrastKeepsTheMeanGrey) {
  for (const int64_t channels : {1, 3}) {
    const FloatImage image = middling_image(channels);
    for (const float factor : {0.f, 0.6f, 1.4f}) {
      FloatImage changed = image;
      change_contrast(changed, factor);
      EXPECT_NEAR(mean_grey(changed), mean_grey(image), 1e-3);
      const float spread = changed.values[0] - changed.values[9];
      EXPECT_NEAR(spread, factor * (image.values[0] - image.values[9]), 1e-3);
    }
  }
}

TEST(Colours, SaturationKeepsEveryGrey) {
  const FloatImage image = middling_image(3);
  FloatImage changed = image;
  change_saturation(changed, 1.5f);
  EXPECT_NEAR(mean_grey(changed), mean_grey(image), 1e-3);
  EXPECT_NE(changed.values, image.values);
  change_saturation(changed, 0);
  for (int64_t i = 0; i < 72; ++i) {
    const float* pixel = changed.pixel(i / 9, i % 9);
    EXPECT_EQ(pixel[0], pixel[1]);
    EXPECT_EQ(pixel[0], pixel[2]);
    FloatImage one{1, 1, 3, {image.values.begin() + i * 3, image.values.begin() + i * 3 + 3}};
    EXPECT_NEAR(pixel[0], mean_grey(one), 1e-3);
  }
}

TEST(Colours, BrightnessMultipliesAndStaysInRange) {
  FloatImage image{1, 3, 1, {10, 100, 200}};
  change_brightness(image, 1.5f);
  EXPECT_THAT(image.values, ElementsAre(15, 150, 255));
}

TEST(Colours, HueTurnsTheCircle) {
  const FloatImage image = random_image(6, 5, 3);
  // A third of the circle takes red to green, green to blue and blue to red.
  FloatImage third = image;
  change_hue(third, 1.f / 3);
  for (int64_t i = 0; i < 30; ++i) {
    const float* from = image.pixel(i / 5, i % 5);
    const float* to = third.pixel(i / 5, i % 5);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(to[(c + 1) % 3], from[c], 1e-2);
  }
  FloatImage there_and_back = image;
  change_hue(there_and_back, 0.17f);
  EXPECT_NE(there_and_back.values, image.values);
  change_hue(there_and_back, -0.17f);
  EXPECT_THAT(there_and_back.values, Pointwise(FloatNear(1e-2f), image.values));
  // Red by a sixth is yellow.
  FloatImage red{1, 1, 3, {200, 20, 20}};
  change_hue(red, 1.f / 6);
  EXPECT_THAT(red.values, Pointwise(FloatNear(1e-3f), std::vector<float>{200, 200, 20}));
}

TEST(Colours, GreysHaveNoColourToChange) {
  const FloatImage image = random_image(6, 5, 1);
  FloatImage changed = image;
  change_saturation(changed, 0);
  change_hue(changed, 0.3f);
  EXPECT_EQ(changed.values, image.values);
}

TEST(Colours, LeaveTransparencyAlone) {
  const FloatImage image = random_image(6, 5, 4);
  FloatImage changed = image, spare;
  change_brightness(changed, 0.5f);
  change_contrast(changed, 0.5f);
  change_saturation(changed, 0.5f);
  change_hue(changed, 0.3f);
  change_sharpness(changed, spare, 0);
  solarize(changed, 0);
  posterize(changed, 2);
  autocontrast(changed);
  equalize(changed);
  for (size_t i = 3; i < image.values.size(); i += 4) {
    EXPECT_EQ(changed.values[i], image.values[i]);
    EXPECT_NE(changed.values[i - 1], image.values[i - 1]);
  }
}

TEST(Tones, SharpnessOfZeroIsTheSmoothedPicture) {
  const FloatImage image = random_image(5, 4, 2);
  FloatImage smooth = image, spare;
  change_sharpness(smooth, spare, 0);
  for (int64_t y = 0; y < 5; ++y) {
    for (int64_t x = 0; x < 4; ++x) {
      for (int c = 0; c < 2; ++c) {
        double sum = 4.0 * image.pixel(y, x)[c];
        const bool inside = y > 0 && y < 4 && x > 0 && x < 3;
        for (int64_t i = 0; i < 9 && inside; ++i)
          sum += image.pixel(y + i / 3 - 1, x + i % 3 - 1)[c];
        const double expected = inside ? sum / 13 : image.pixel(y, x)[c];
        EXPECT_NEAR(smooth.pixel(y, x)[c], expected, 1e-3);
      }
    }
  }
}

TEST(Tones, SolarizeInvertsFromItsThresholdOn) {
  FloatImage image{1, 4, 1, {0, 99, 100, 255}};
  solarize(image, 100);
  EXPECT_THAT(image.values, ElementsAre(0, 99, 155, 0));
}

TEST(Tones, PosterizeKeepsTheHighestBits) {
  FloatImage image{1, 4, 1, {3, 63, 64, 255}};
  posterize(image, 2);
  EXPECT_THAT(image.values, ElementsAre(0, 0, 64, 192));
}

TEST(Tones, AutocontrastUsesTheWholeRange) {
  FloatImage image{1, 4, 1, {50, 60, 75, 100}};
  autocontrast(image);
  EXPECT_THAT(image.values, ElementsAre(0, 51, 127.5, 255));
  FloatImage flat{1, 2, 1, {7, 7}};
  autocontrast(flat);
  EXPECT_THAT(flat.values, Each(7));
}

// Numbers of Pillow's ImageOps.equalize.
TEST(Tones, EqualizeEqualsPillow) {
  FloatImage image{16, 64, 1, {}};
  for (int i = 0; i < 1024; ++i) image.values.push_back(static_cast<float>(i * i / 8192));
  FloatImage even{16, 16, 1, {}};
  for (int i = 0; i < 256; ++i) even.values.push_back(static_cast<float>(i));
  const FloatImage before = even;
  equalize(even);
  EXPECT_EQ(even.values, before.values);
  equalize(image);
  std::vector<float> some;
  for (const size_t i : {0, 100, 200, 300, 500, 700, 900, 1023}) some.push_back(image.values[i]);
  EXPECT_THAT(some, ElementsAre(0, 23, 46, 72, 124, 174, 224, 255));
}

}  // namespace
}  // namespace mica::data
