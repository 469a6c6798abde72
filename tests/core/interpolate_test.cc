#include "core/ops/interpolate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/eval/eval.h"
#include "core/ops/conv_general.h"
#include "core/ops/conv_nd.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

const Array kLine = reshape(array<double>({1.0, 2.0, 4.0, 8.0, 3.0}), {1, 5, 1});

// Function by function: derivatives, vmap over the examples, and both together.
void check_transforms(const UnaryFunction& f, const Array& x) {
  testing::check_derivatives([&](const Arrays& in) { return f(in[0]); }, {x});
  const Array examples = stack({x, 2 * x, flip(x)}, 1);
  const Arrays each = {f(x), f(2 * x), f(flip(x))};
  expect_same(vmap(f, 1)(examples), stack(each), 1e-12);
  const auto gradient = grad(UnaryFunction([&](const Array& z) { return sum(square(f(z))); }));
  expect_same(vmap(gradient, 1)(examples), stack({gradient(x), gradient(2 * x), gradient(flip(x))}),
              1e-12);
}

// The numbers are PyTorch's.
TEST(Interpolate, Lines) {
  using enum Interpolation;
  expect_values(interpolate(kLine, {.size = {8}}), {1, 1, 2, 2, 4, 8, 8, 3});
  expect_values(interpolate(kLine, {.size = {3}}), {1, 2, 8});
  expect_values(interpolate(kLine, {.scale = {2}}), {1, 1, 2, 2, 4, 4, 8, 8, 3, 3});
  expect_values(interpolate(kLine, {.scale = {1.7}}), {1, 1, 2, 2, 4, 4, 8, 3});
  expect_values(interpolate(kLine, {.size = {8}, .mode = kLinear}),
                {1, 1.4375, 2.125, 3.375, 5.25, 7.75, 5.1875, 3});
  expect_values(
      interpolate(kLine, {.size = {8}, .mode = kLinear, .align_corners = true}),
      {1, 1.5714285714, 2.2857142857, 3.4285714286, 5.1428571429, 7.4285714286, 5.8571428571, 3},
      1e-10);
  expect_values(interpolate(kLine, {.size = {3}, .mode = kLinear}), {4 / 3.0, 4, 14 / 3.0});
  expect_values(interpolate(kLine, {.scale = {1.7}, .mode = kLinear}),
                {1, 1.3823529412, 1.9705882353, 3.1176470588, 4.5882352941, 6.9411764706,
                 6.3823529412, 3.4411764706},
                1e-10);
  expect_values(interpolate(kLine, {.size = {1}, .mode = kLinear, .align_corners = true}), {1});
}

TEST(Interpolate, Images) {
  using enum Interpolation;
  const Array image = reshape(array<double>({{1.0, 2.0, 4.0}, {8.0, 3.0, -1.0}}), {1, 2, 3, 1});
  expect_values(interpolate(image, {.size = {3, 4}, .mode = kCubic}),
                {0.2831997342, 1.088212755, 2.9886644151, 4.6149664985, 4.6435546875, 3.3305664062,
                 1.919921875, 1.4282226563, 9.0039096408, 5.5729200575, 0.8511793349, -1.758521186},
                1e-9);
  expect_values(interpolate(image, {.size = {3, 4}, .mode = kCubic, .align_corners = true}),
                {1, 1.462962963, 2.7407407407, 4, 4.5, 3.2407407407, 1.962962963, 1.5, 8,
                 5.0185185185, 1.1851851852, -1},
                1e-9);
  // A plane stays a plane where corners are aligned, in any number of axes.
  const Arrays grid = meshgrid({arange(3, float64), arange(4, float64), arange(2, float64)}, true);
  const Array volume = reshape(grid[0] + 10 * grid[1] - grid[2], {1, 3, 4, 2, 1});
  const Arrays fine = meshgrid(
      {linspace(0, 2, 5, float64), linspace(0, 3, 7, float64), linspace(0, 1, 3, float64)}, true);
  expect_same(interpolate(volume, {.size = {5, 7, 3}, .mode = kLinear, .align_corners = true}),
              reshape(fine[0] + 10 * fine[1] - fine[2], {1, 5, 7, 3, 1}), 1e-12);
  // Channels and examples keep to themselves.
  const Array many = normal_array({2, 3, 4, 5}, 1);
  const Array got = interpolate(many, {.scale = {2}, .mode = kLinear});
  EXPECT_EQ(got.shape(), Shape({2, 6, 8, 5}));
  const Array one = slice(many, {1, 0, 0, 3}, {2, 3, 4, 4});
  expect_same(slice(got, {1, 0, 0, 3}, {2, 6, 8, 4}),
              interpolate(one, {.scale = {2}, .mode = kLinear}), 1e-12);
}

TEST(Interpolate, Transforms) {
  using enum Interpolation;
  const Array image = normal_array({2, 3, 4, 2}, 2);
  check_transforms([](const Array& x) { return interpolate(x, {.scale = {2}}); }, image);
  check_transforms([](const Array& x) { return interpolate(x, {.size = {2, 5}}); }, image);
  for (const Interpolation mode : {kLinear, kCubic}) {
    for (const bool align : {false, true}) {
      check_transforms(
          [&](const Array& x) {
            return interpolate(x, {.size = {5, 3}, .mode = mode, .align_corners = align});
          },
          image);
    }
  }
}

TEST(Interpolate, TypesAndErrors) {
  using enum Interpolation;
  EXPECT_EQ(interpolate(astype(kLine, uint8), {.scale = {2}}).dtype(), uint8);
  EXPECT_EQ(interpolate(astype(kLine, bfloat16), {.scale = {2}, .mode = kLinear}).dtype(),
            bfloat16);
  EXPECT_EQ(error_text([] { interpolate(arange(3), {.scale = {2}}); }),
            "[interpolate] got shape (3,); wanted (N, L, C), (N, H, W, C) or (N, D, H, W, C)");
  EXPECT_EQ(error_text([] { interpolate(kLine, {}); }),
            "[interpolate] got 0 sizes and 0 scales; wanted 1 of one of them");
  EXPECT_EQ(error_text([] {
              interpolate(kLine, {.size = {2, 2}});
            }),
            "[interpolate] got 2 sizes and 0 scales; wanted 1 of one of them");
  EXPECT_EQ(error_text([] { interpolate(kLine, {.scale = {0.1}}); }),
            "[interpolate] axis 1 of (1, 5, 1) would have length 0; wanted 1 or more");
  EXPECT_EQ(error_text([] { interpolate(kLine, {.scale = {-INFINITY}}); }),
            "[interpolate] scale 0 is -inf; wanted a positive number");
  EXPECT_THAT(error_text([] { interpolate(kLine, {.size = {2}, .align_corners = true}); }),
              ::testing::HasSubstr("no meaning for nearest"));
  EXPECT_THAT(error_text([] { interpolate(astype(kLine, int32), {.size = {2}, .mode = kLinear}); }),
              ::testing::HasSubstr("got int32; wanted a floating type"));
  EXPECT_EQ(interpolate(zeros({0, 3, 2}), {.scale = {2}}).shape(), Shape({0, 6, 2}));
}

TEST(AdaptivePool, Values) {
  expect_values(adaptive_avg_pool1d(kLine, 3), {1.5, 14 / 3.0, 5.5});
  expect_values(adaptive_max_pool1d(kLine, 3), {2, 8, 8});
  expect_values(adaptive_avg_pool1d(kLine, 7), {1, 1.5, 3, 4, 6, 5.5, 3});
  expect_values(adaptive_avg_pool1d(kLine, 5), {1, 2, 4, 8, 3});
  const Array images = normal_array({2, 4, 6, 3}, 3);
  expect_same(adaptive_avg_pool2d(images, {1, 1}), mean(images, {1, 2}, true), 1e-12);
  expect_same(adaptive_max_pool2d(images, {1, -1}), max(images, {1}, true), 0);
  // The windows of an axis do not depend on the other.
  const Array pooled = adaptive_avg_pool2d(images, {3, 4});
  EXPECT_EQ(pooled.shape(), Shape({2, 3, 4, 3}));
  expect_same(slice(pooled, {0, 1, 2, 0}, {2, 2, 3, 3}),
              mean(slice(images, {0, 1, 3, 0}, {2, 3, 5, 3}), {1, 2}, true), 1e-12);
  const Array volume = normal_array({1, 3, 5, 4, 2}, 4);
  expect_same(adaptive_max_pool3d(volume, {1, 1, 1}), max(volume, {1, 2, 3}, true), 0);
  EXPECT_EQ(adaptive_avg_pool3d(volume, {2, 3, 3}).shape(), Shape({1, 2, 3, 3, 2}));
  const Array lowest = full({1, 5, 1}, -INFINITY);
  expect_values(adaptive_max_pool1d(lowest, 2), {-INFINITY, -INFINITY});
  const Array broken = where(kLine == 8, NAN, kLine);
  expect_values(adaptive_max_pool1d(broken, 3), {2, NAN, NAN});
  expect_values(adaptive_avg_pool1d(broken, 3), {1.5, NAN, NAN});
}

TEST(AdaptivePool, TransformsAndErrors) {
  const Array images = normal_array({2, 4, 5, 2}, 5);
  for (const std::array<int64_t, 2>& size : {std::array<int64_t, 2>{2, 5}, {3, 2}, {5, 7}}) {
    check_transforms([&](const Array& x) { return adaptive_avg_pool2d(x, size); }, images);
    check_transforms([&](const Array& x) { return adaptive_max_pool2d(x, size); }, images);
  }
  EXPECT_EQ(error_text([&] { adaptive_avg_pool1d(images, 2); }),
            "[adaptive_avg_pool1d] got shape (2, 4, 5, 2); wanted 1 spatial axes");
  EXPECT_EQ(error_text([&] {
              adaptive_max_pool2d(images, {0, 1});
            }),
            "[adaptive_max_pool2d] size is 0; wanted 1 or more, or -1");
  EXPECT_EQ(error_text([] {
              adaptive_avg_pool1d(zeros({1, 0, 2}), 2);
            }),
            "[adaptive_avg_pool1d] axis 1 of (1, 0, 2) is empty");
}

// The definition in one axis, for one channel.
std::vector<double> naive_line(const std::vector<double>& x, const std::vector<double>& w,
                               int64_t stride, int64_t low, int64_t high, int64_t dilation,
                               int64_t distance) {
  std::vector<double> spread(static_cast<size_t>(low), 0);
  for (size_t i = 0; i < x.size(); ++i) {
    spread.push_back(x[i]);
    if (i + 1 < x.size()) spread.resize(spread.size() + static_cast<size_t>(distance) - 1, 0);
  }
  spread.resize(spread.size() + static_cast<size_t>(high), 0);
  std::vector<double> y;
  const auto reach = static_cast<size_t>(dilation) * (w.size() - 1);
  for (size_t at = 0; at + reach < spread.size(); at += static_cast<size_t>(stride)) {
    y.push_back(0);
    for (size_t k = 0; k < w.size(); ++k)
      y.back() += w[k] * spread[at + k * static_cast<size_t>(dilation)];
  }
  return y;
}

TEST(ConvGeneral, EqualsItsDefinition) {
  const std::vector<double> x = {1, -2, 3, 0.5, 4, -1}, w = {2, 1, -3};
  const Array input = Array::from(x, {1, 6, 1}), weight = Array::from(w, {1, 3, 1});
  for (const int64_t stride : {1, 2}) {
    for (const int64_t low : {0, 3}) {
      for (const int64_t high : {0, 1}) {
        for (const int64_t dilation : {1, 2}) {
          for (const int64_t distance : {1, 3}) {
            const ConvGeneralOptions options = {.stride = {stride},
                                                .padding_low = {low},
                                                .padding_high = {high},
                                                .kernel_dilation = {dilation},
                                                .input_dilation = {distance}};
            expect_values(conv_general(input, weight, options),
                          naive_line(x, w, stride, low, high, dilation, distance));
            ConvGeneralOptions flipped = options;
            flipped.flip = true;
            expect_values(conv_general(input, weight, flipped),
                          naive_line(x, {-3, 1, 2}, stride, low, high, dilation, distance));
          }
        }
      }
    }
  }
  // Negative padding cuts.
  expect_values(conv_general(input, weight, {.padding_low = {-2}, .padding_high = {-1}}),
                naive_line({3, 0.5, 4}, w, 1, 0, 0, 1, 1));
}

TEST(ConvGeneral, EqualsTheOtherConvolutions) {
  const Array x = normal_array({2, 6, 5, 4}, 1), w = normal_array({6, 3, 2, 2}, 2);
  expect_same(conv_general(x, w, {.stride = {2, 1}, .padding_low = {1, 0}, .groups = 2}),
              conv2d(x, w, {.stride = {2, 1}, .padding = {1, 0}, .groups = 2}), 1e-12);
  const Array volume = normal_array({1, 3, 4, 5, 2}, 3), cube = normal_array({3, 2, 2, 3, 2}, 4);
  expect_same(conv_general(volume, cube, {.padding_low = {1}, .kernel_dilation = {1, 2, 1}}),
              conv3d(volume, cube, {.padding = {1, 1, 1}, .dilation = {1, 2, 1}}), 1e-12);
  // A transposed convolution is one over spread elements with the kernel turned round.
  const Array up = normal_array({4, 3, 3, 5}, 5);
  const Array turned = transpose(up, {3, 1, 2, 0});
  expect_same(
      conv_general(x, turned,
                   {.padding_low = {1}, .padding_high = {2}, .input_dilation = {2}, .flip = true}),
      conv_transpose2d(x, up, {.stride = {2, 2}, .padding = {1, 1}}, {1, 1}), 1e-12);
}

TEST(ConvGeneral, TransformsAndErrors) {
  const ConvGeneralOptions options = {.stride = {2, 1},
                                      .padding_low = {1, -1},
                                      .padding_high = {0, 2},
                                      .kernel_dilation = {1, 2},
                                      .input_dilation = {2, 1},
                                      .groups = 2,
                                      .flip = true};
  const Array x = normal_array({1, 4, 5, 4}, 6), w = normal_array({2, 2, 2, 2}, 7);
  testing::check_derivatives([&](const Arrays& in) { return conv_general(in[0], in[1], options); },
                             {x, w});
  const auto of_x = [&](const Array& z) { return conv_general(z, w, options); };
  expect_same(vmap(of_x)(stack({x, -x})), stack({of_x(x), of_x(-x)}), 1e-12);
  const auto of_w = [&](const Array& z) { return conv_general(x, z, options); };
  expect_same(vmap(of_w)(stack({w, 3 * w})), stack({of_w(w), of_w(3 * w)}), 1e-12);
  EXPECT_EQ(
      error_text([&] {
        conv_general(x, zeros({2, 2, 2}));
      }),
      "[conv_general] got input (1, 4, 5, 4) and weight (2, 2, 2); wanted 3, 4 or 5 axes each");
  EXPECT_EQ(error_text([&] {
              conv_general(x, w, {.stride = {1, 2, 3}});
            }),
            "[conv_general] stride has 3 numbers; wanted 1 or 2");
  EXPECT_EQ(error_text([&] { conv_general(x, w, {.input_dilation = {0}}); }),
            "[conv_general] input_dilation is 0; wanted 1 or more");
  EXPECT_THAT(error_text([&] { conv_general(x, w, {.padding_low = {-3}}); }),
              ::testing::HasSubstr("padding -3 and -3 leaves nothing of axis 1 of (1, 4, 5, 4)"));
}

}  // namespace
}  // namespace mica
