#include "core/ops/conv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/ops/conv_kernels.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/winograd_kernels.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_values;
using testing::normal_array;
using testing::normal_values;

struct Case {
  Shape x, weight;
  Conv2dOptions options;
};

const Case kCases[] = {
    {{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
    {{2, 5, 6, 3}, {4, 3, 3, 3}, {}},
    {{3, 8, 8, 1}, {5, 5, 5, 1}, {{1, 1}, {2, 2}}},
    {{13, 14, 14, 20}, {50, 5, 5, 20}, {{1, 1}, {2, 2}}},  // several chunks, the last shorter
    {{2, 9, 7, 4}, {6, 3, 2, 4}, {{2, 3}, {1, 1}}},        // rows that no window reaches
    {{2, 9, 9, 4}, {6, 2, 2, 4}, {{4, 4}, {0, 0}}},        // stride beyond the kernel
    {{2, 9, 10, 4}, {4, 3, 3, 4}, {{1, 1}, {2, 2}, {2, 3}}},
    {{2, 11, 11, 6}, {6, 3, 3, 6}, {{2, 2}, {3, 0}, {2, 2}}},
    {{2, 6, 6, 8}, {4, 3, 3, 2}, {{1, 1}, {1, 1}, {1, 1}, 4}},
    {{2, 7, 6, 16}, {16, 3, 3, 1}, {{2, 1}, {1, 1}, {1, 1}, 16}},  // depthwise
    {{2, 11, 13, 20}, {20, 3, 4, 1}, {{2, 3}, {4, 2}, {2, 2}, 20}},
    {{2, 9, 20, 100}, {100, 5, 5, 1}, {{1, 1}, {2, 6}, {1, 1}, 100}},
    {{1, 1, 330, 70}, {70, 1, 12, 1}, {{1, 1}, {0, 0}, {1, 1}, 70}},
    {{2, 1, 200, 33}, {33, 1, 29, 1}, {{1, 3}, {0, 14}, {1, 1}, 33}},  // more taps than registers
    {{1, 1, 61, 40}, {40, 1, 5, 1}, {{1, 2}, {0, 2}, {1, 2}, 40}},
    {{1, 40, 41, 17}, {17, 3, 5, 1}, {{2, 2}, {1, 2}, {2, 2}, 17}},
    {{1, 1, 90, 36}, {36, 1, 7, 1}, {{1, 6}, {0, 3}, {1, 4}, 36}},
    {{2, 1, 7, 20}, {20, 1, 12, 1}, {{1, 1}, {0, 11}, {1, 1}, 20}},  // no output has all taps
    {{1, 1, 16, 20}, {20, 1, 12, 1}, {{1, 1}, {0, 4}, {1, 1}, 20}},
    {{1, 2, 30, 17}, {17, 2, 4, 1}, {{1, 1}, {1, 9}, {1, 3}, 17}},
    {{2, 1, 37, 16}, {16, 1, 3, 1}, {{1, 3}, {0, 5}, {1, 2}, 16}},
    {{1, 4, 5, 3}, {3, 2, 2, 1}, {{1, 1}, {3, 2}, {1, 1}, 3}},  // outputs of padding alone
    {{2, 6, 6, 3}, {6, 3, 3, 1}, {{1, 1}, {1, 1}, {1, 1}, 3}},  // two outputs a channel
    {{4, 8, 8, 16}, {32, 1, 1, 16}, {{2, 2}, {0, 0}}},
    {{2, 4, 4, 3}, {2, 1, 1, 3}, {{1, 1}, {2, 2}}},  // outputs that see only padding
    {{1, 1, 50, 8}, {8, 1, 7, 8}, {{1, 2}, {0, 3}}},
    {{1, 15, 14, 20}, {50, 5, 5, 20}, {{1, 1}, {2, 2}}},  // rows of one image in parallel
    {{2, 35, 30, 16}, {32, 3, 3, 16}, {{2, 1}, {4, 1}, {2, 1}}},
    {{1, 12, 40, 16}, {64, 5, 3, 16}, {{1, 1}, {9, 1}}},  // the first rows see only padding
    {{3, 1, 300, 64}, {64, 1, 12, 32}, {{1, 1}, {0, 0}, {1, 1}, 2}},  // groups of many channels
    {{2, 6, 20, 72}, {72, 3, 3, 24}, {{1, 1}, {1, 1}, {1, 1}, 3}},
    {{2, 9, 40, 30}, {72, 3, 5, 10}, {{2, 3}, {3, 4}, {2, 2}, 3}},
};

// The three products of a convolution, one multiplication at a time.
struct Naive {
  std::vector<double> y, dx, dweight;

  Naive(const ConvGeometry& g, const std::vector<double>& x, const std::vector<double>& weight,
        const std::vector<double>& dy)
      : y(dy.size()), dx(x.size()), dweight(weight.size()) {
    const int64_t run = g.channels / g.options.groups, outputs = g.out_channels / g.options.groups;
    for (int64_t out = 0; out < g.output_size(); ++out) {
      const int64_t o = out % g.out_channels, pixel = out / g.out_channels;
      const int64_t n = pixel / g.out_width / g.out_height;
      for (int64_t tap = 0; tap < g.taps(); ++tap) {
        const int64_t c = o / outputs * run + tap % run;
        const int64_t row = pixel / g.out_width % g.out_height * g.options.stride[0] -
                            g.options.padding[0] +
                            tap / run / g.kernel_width * g.options.dilation[0];
        const int64_t column = pixel % g.out_width * g.options.stride[1] - g.options.padding[1] +
                               tap / run % g.kernel_width * g.options.dilation[1];
        if (row < 0 || row >= g.height || column < 0 || column >= g.width) continue;
        const int64_t in = ((n * g.height + row) * g.width + column) * g.channels + c;
        y[out] += x[in] * weight[o * g.taps() + tap];
        dx[in] += dy[out] * weight[o * g.taps() + tap];
        dweight[o * g.taps() + tap] += dy[out] * x[in];
      }
    }
  }
};

double root_mean_square(const std::vector<double>& values) {
  double total = 0;
  for (const double v : values) total += v * v;
  return std::sqrt(total / double(std::max<size_t>(1, values.size())));
}

// Errors are measured against the typical result: Winograd's are as large for small results as for
// those beside them.
void expect_results(const Array& got, const std::vector<double>& want, double tolerance) {
  const double scale = 1 + root_mean_square(want);
  expect_values(got, want, tolerance * scale);
}

TEST(Conv2d, AllThreeProductsEqualNaive) {
  for (const Case& c : kCases) {
    const ConvGeometry g = ConvGeometry::of(c.x, c.weight, c.options);
    const Shape y = conv2d_shape(c.x, c.weight, c.options);
    SCOPED_TRACE(print_fields(g));
    for (const Dtype dtype : {float32, float64, bfloat16}) {
      const double tolerance = dtype == float64 ? 1e-11 : dtype == float32 ? 1e-4 : 3e-2;
      const Array x = normal_array(c.x, 1, dtype), weight = normal_array(c.weight, 2, dtype);
      const Array dy = normal_array(y, 3, dtype);
      const Naive want(g, x.to_vector<double>(), weight.to_vector<double>(),
                       dy.to_vector<double>());
      EXPECT_EQ(conv2d(x, weight, c.options).shape(), y);
      expect_results(conv2d(x, weight, c.options), want.y, tolerance);
      expect_results(conv2d_input(dy, weight, c.x, c.options), want.dx, tolerance);
      expect_results(conv2d_weight(x, dy, c.weight, c.options), want.dweight, tolerance);
    }
  }
}

std::vector<float> floats(int64_t count, uint32_t seed) {
  const std::vector<double> values = normal_values(count, seed);
  return std::vector<float>(values.begin(), values.end());
}

void expect_close(const std::vector<float>& got, const std::vector<float>& want, const char* what) {
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], 1e-4f * (1 + std::abs(want[i]))) << what << " at element " << i;
  }
}

// One of the other ways to compute against im2col; returns how many of the products it can do.
template <class Forward, class ByInput, class ByWeight>
int expect_equals_im2col(const Case& c, Forward&& forward, ByInput&& by_input,
                         ByWeight&& by_weight) {
  const ConvGeometry g = ConvGeometry::of(c.x, c.weight, c.options);
  SCOPED_TRACE(print_fields(g));
  const std::vector<float> x = floats(g.input_size(), 1), weight = floats(g.weight_size(), 2);
  const std::vector<float> dy = floats(g.output_size(), 3);
  int done = 0;
  const auto compare = [&](size_t size, const char* what, auto&& tested, auto&& oracle) {
    std::vector<float> got(size, 7), want(size, 7);
    if (!tested(got.data())) return;
    oracle(want.data());
    expect_close(got, want, what);
    ++done;
  };
  compare(
      dy.size(), "forward", [&](float* y) { return forward(g, x.data(), weight.data(), y); },
      [&](float* y) { conv_im2col(g, x.data(), weight.data(), y); });
  compare(
      x.size(), "input", [&](float* dx) { return by_input(g, dy.data(), weight.data(), dx); },
      [&](float* dx) { conv_input_im2col(g, dy.data(), weight.data(), dx); });
  compare(
      weight.size(), "weight", [&](float* dw) { return by_weight(g, x.data(), dy.data(), dw); },
      [&](float* dw) { conv_weight_im2col(g, x.data(), dy.data(), dw); });
  return done;
}

TEST(Conv2d, DnnlEqualsIm2col) {
#ifndef MICA_WITH_DNNL
  GTEST_SKIP() << "built without oneDNN";
#endif
  for (const Case& c : kCases) {
    EXPECT_EQ(
        expect_equals_im2col(c, conv_dnnl<float>, conv_input_dnnl<float>, conv_weight_dnnl<float>),
        3);
  }
}

// Products of bfloat16 are exact in float32, so only the results' rounding is left.
TEST(Conv2d, ShortDnnlEqualsIm2col) {
  const auto shortened = [](const std::vector<float>& x) {
    return std::vector<bfloat16_t>(x.begin(), x.end());
  };
  const auto widened = [](const std::vector<bfloat16_t>& x) {
    return std::vector<float>(x.begin(), x.end());
  };
  int done = 0;
  for (const Case& c : kCases) {
    const ConvGeometry g = ConvGeometry::of(c.x, c.weight, c.options);
    SCOPED_TRACE(print_fields(g));
    const auto x = shortened(floats(g.input_size(), 1)), w = shortened(floats(g.weight_size(), 2));
    const auto dy = shortened(floats(g.output_size(), 3));
    const auto compare = [&](size_t size, auto&& tested, auto&& oracle) {
      std::vector<bfloat16_t> got(size, bfloat16_t(7.0f));
      std::vector<float> want(size);
      if (!tested(got.data())) return;
      oracle(want.data());
      for (size_t i = 0; i < size; ++i) {
        const auto value = static_cast<float>(got[i]);
        ASSERT_NEAR(value, want[i], 1e-3f + std::abs(want[i]) / 256) << "element " << i;
      }
      ++done;
    };
    const std::vector<float> wx = widened(x), ww = widened(w), wdy = widened(dy);
    compare(
        dy.size(), [&](bfloat16_t* y) { return conv_dnnl(g, x.data(), w.data(), y); },
        [&](float* y) { conv_im2col(g, wx.data(), ww.data(), y); });
    compare(
        x.size(), [&](bfloat16_t* dx) { return conv_input_dnnl(g, dy.data(), w.data(), dx); },
        [&](float* dx) { conv_input_im2col(g, wdy.data(), ww.data(), dx); });
    compare(
        w.size(), [&](bfloat16_t* dw) { return conv_weight_dnnl(g, x.data(), dy.data(), dw); },
        [&](float* dw) { conv_weight_im2col(g, wx.data(), wdy.data(), dw); });
  }
  if (done == 0) GTEST_SKIP() << "this machine has no instructions for bfloat16";
  EXPECT_GE(done, 40);
}

TEST(Conv2d, GroupsEqualIm2col) {
  int done = 0;
  for (const Case& c : kCases) {
    done += expect_equals_im2col(c, conv_grouped, conv_input_grouped, conv_weight_grouped);
  }
  if (done == 0) GTEST_SKIP() << "this machine has no AVX-512";
  EXPECT_EQ(done, 8);  // three geometries, one of which the gradient by input does not turn
}

TEST(Conv2d, LanesEqualIm2col) {
  const Case extra[] = {{{16, 6, 5, 3}, {7, 5, 5, 3}, {{1, 1}, {2, 2}}},
                        {{33, 7, 7, 6}, {30, 3, 3, 6}, {{2, 1}, {1, 0}}},
                        {{20, 4, 4, 2}, {61, 2, 2, 2}, {}}};
  int done = 0;
  for (const Case& c : kCases) {
    done += expect_equals_im2col(c, conv_lanes, conv_input_lanes, conv_weight_lanes);
  }
  for (const Case& c : extra) {
    done += expect_equals_im2col(c, conv_lanes, conv_input_lanes, conv_weight_lanes);
  }
  if (done == 0) GTEST_SKIP() << "this machine has no AVX-512";
  EXPECT_GE(done, 20);
}

const Case kWinogradCases[] = {
    {{2, 8, 8, 16}, {16, 3, 3, 16}, {{1, 1}, {1, 1}}},
    {{1, 3, 3, 1}, {1, 3, 3, 1}, {}},
    {{3, 13, 9, 20}, {27, 3, 3, 20}, {{1, 1}, {1, 1}}},
    {{2, 7, 7, 50}, {30, 5, 5, 50}, {{1, 1}, {2, 2}}},
    {{5, 14, 14, 20}, {50, 5, 5, 20}, {{1, 1}, {2, 2}}},
    {{2, 6, 17, 3}, {9, 5, 5, 3}, {{1, 1}, {0, 4}}},
    {{2, 5, 6, 8}, {24, 3, 3, 8}, {{1, 1}, {4, 3}}},  // more padding than kernel
    {{9, 4, 31, 33}, {80, 3, 3, 33}, {{1, 1}, {2, 0}}}};

// The products of one geometry by Winograd against float64, within the bounds that conv_kernels.h
// states. Values of mean `offset` add up instead of cancelling.
void expect_winograd(const Case& c, float offset) {
  const ConvGeometry g = ConvGeometry::of(c.x, c.weight, c.options);
  SCOPED_TRACE(print_fields(g));
  const auto values = [&](int64_t count, uint32_t seed) {
    std::vector<float> x = floats(count, seed);
    for (float& v : x) v += offset;
    return x;
  };
  const std::vector<float> x = values(g.input_size(), 1), weight = values(g.weight_size(), 2);
  const std::vector<float> dy = values(g.output_size(), 3);
  const auto wide = [](const std::vector<float>& v) {
    return std::vector<double>(v.begin(), v.end());
  };
  const Naive want(g, wide(x), wide(weight), wide(dy));
  const auto compare = [](const std::vector<float>& got, const std::vector<double>& wanted) {
    const double scale = root_mean_square(wanted);
    std::vector<double> errors(wanted.size());
    double worst = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      errors[i] = got[i] - wanted[i];
      worst = std::max(worst, std::abs(errors[i]));
    }
    EXPECT_LT(worst, 1e-4 * scale);
    EXPECT_LT(root_mean_square(errors), 1.5e-5 * scale);
  };
  std::vector<float> y(dy.size(), 7), dx(x.size(), 7), dweight(weight.size(), 7);
  ASSERT_TRUE(conv_winograd(g, x.data(), weight.data(), y.data()));
  compare(y, want.y);
  ASSERT_EQ(conv_input_winograd(g, dy.data(), weight.data(), dx.data()), turns(g));
  if (turns(g)) compare(dx, want.dx);
  ASSERT_TRUE(conv_weight_winograd(g, x.data(), dy.data(), dweight.data()));
  compare(dweight, want.dweight);
}

TEST(Conv2d, WinogradWithinItsBounds) {
  if (winograds().empty()) GTEST_SKIP() << "this machine has no AVX-512";
  for (const Case& c : kWinogradCases) {
    expect_winograd(c, 0);
    expect_winograd(c, 1);
  }
}

// Images of bfloat16 are converted on the way in and out, and nothing else changes.
TEST(Conv2d, ShortWinogradRoundsTheResult) {
  if (winograds().empty()) GTEST_SKIP() << "this machine has no AVX-512";
  for (const Case& c : kWinogradCases) {
    const ConvGeometry g = ConvGeometry::of(c.x, c.weight, c.options);
    SCOPED_TRACE(print_fields(g));
    const auto shortened = [](const std::vector<float>& v) {
      return std::vector<bfloat16_t>(v.begin(), v.end());
    };
    const auto x = shortened(floats(g.input_size(), 1)), w = shortened(floats(g.weight_size(), 2));
    const auto dy = shortened(floats(g.output_size(), 3));
    const std::vector<float> wx(x.begin(), x.end()), ww(w.begin(), w.end());
    const std::vector<float> wdy(dy.begin(), dy.end());
    const auto compare = [](size_t size, auto&& tested, auto&& wide) {
      std::vector<bfloat16_t> got(size, bfloat16_t(7.0f));
      std::vector<float> want(size);
      const bool done = wide(want.data());
      ASSERT_EQ(tested(got.data()), done);
      for (size_t i = 0; done && i < size; ++i) {
        ASSERT_EQ(static_cast<float>(got[i]), static_cast<float>(bfloat16_t(want[i]))) << i;
      }
    };
    compare(
        dy.size(), [&](bfloat16_t* to) { return conv_winograd(g, x.data(), w.data(), to); },
        [&](float* to) { return conv_winograd(g, wx.data(), ww.data(), to); });
    compare(
        x.size(), [&](bfloat16_t* to) { return conv_input_winograd(g, dy.data(), w.data(), to); },
        [&](float* to) { return conv_input_winograd(g, wdy.data(), ww.data(), to); });
    compare(
        w.size(), [&](bfloat16_t* to) { return conv_weight_winograd(g, x.data(), dy.data(), to); },
        [&](float* to) { return conv_weight_winograd(g, wx.data(), wdy.data(), to); });
  }
}

TEST(Conv2d, Gradients) {
  const Case cases[] = {{{2, 4, 5, 2}, {3, 2, 3, 2}, {{1, 2}, {1, 0}}},
                        {{1, 5, 5, 4}, {4, 3, 3, 2}, {{2, 1}, {1, 2}, {1, 2}, 2}}};
  for (const Case& c : cases) {
    const Arrays at = {normal_array(c.x, 4, float64), normal_array(c.weight, 5, float64)};
    const auto f = [&](const Arrays& in) { return sum(square(conv2d(in[0], in[1], c.options))); };
    check_derivatives(f, at);
  }
}

TEST(Conv2d, GradientsOfTheGradientOps) {
  const Conv2dOptions options = {{2, 1}, {1, 1}};
  const Shape x = {1, 5, 4, 2}, weight = {2, 3, 3, 2}, y = conv2d_shape(x, weight, options);
  const auto by_input = [&](const Arrays& in) {
    return sum(square(conv2d_input(in[0], in[1], x, options)));
  };
  const auto by_weight = [&](const Arrays& in) {
    return sum(square(conv2d_weight(in[0], in[1], weight, options)));
  };
  check_derivatives(by_input, {normal_array(y, 6, float64), normal_array(weight, 7, float64)});
  check_derivatives(by_weight, {normal_array(x, 8, float64), normal_array(y, 9, float64)});
}

TEST(Conv2d, SameBitsWithAnyNumberOfThreads) {
  const Case odd = {{30, 14, 14, 20}, {50, 5, 5, 20}, {{1, 1}, {2, 2}}};
  const Case even = {{30, 16, 16, 16}, {32, 3, 3, 16}, {{2, 1}, {1, 1}}};
  const Case small = {{64, 8, 8, 64}, {64, 3, 3, 64}, {{1, 1}, {1, 1}}};
  const Case depthwise = {{9, 20, 31, 40}, {40, 3, 3, 1}, {{1, 1}, {1, 1}, {1, 1}, 40}};
  for (const auto& [c, dtype] :
       {std::pair(odd, float32), std::pair(even, float32), std::pair(small, float32),
        std::pair(depthwise, float32), std::pair(odd, float64)}) {
    const Array x = normal_array(c.x, 1, dtype), weight = normal_array(c.weight, 2, dtype);
    const auto everything = [&, &c = c] {
      const Array y = conv2d(x, weight, c.options);
      const Array dx = conv2d_input(y, weight, c.x, c.options);
      const Array dweight = conv2d_weight(x, y, c.weight, c.options);
      return std::vector{y.to_bytes(), dx.to_bytes(), dweight.to_bytes()};
    };
    set_threads(1);
    const auto one = everything();
    set_threads(2);
    for (int repeat = 0; repeat < 5; ++repeat) EXPECT_TRUE(one == everything());
    set_threads(0);
  }
}

TEST(Conv2d, EmptyArraysGiveZeros) {
  const Shape x = {0, 5, 5, 2}, weight = {3, 3, 3, 2};
  EXPECT_EQ(conv2d(zeros(x), zeros(weight)).shape(), Shape({0, 3, 3, 3}));
  EXPECT_TRUE(conv2d(zeros(x), zeros(weight)).to_vector<float>().empty());
  EXPECT_EQ(conv2d_weight(zeros(x), zeros({0, 3, 3, 3}), weight).to_vector<float>(),
            std::vector<float>(54, 0.0f));
  EXPECT_EQ(conv2d(zeros({1, 3, 3, 0}), zeros({2, 3, 3, 0})).to_vector<float>(),
            std::vector<float>(2, 0.0f));
}

TEST(Conv2d, ErrorsNameTheShapes) {
  const auto message = [](const Shape& x, const Shape& weight, const Conv2dOptions& o,
                          Dtype dtype = float32) {
    return error_text([&] { conv2d(zeros(x, dtype), zeros(weight, dtype), o); });
  };
  EXPECT_EQ(message({1, 8, 8, 3}, {4, 3, 3, 1}, {}),
            "[conv2d] input (1, 8, 8, 3) has 3 channels; weight (4, 3, 3, 1) in 1 group wants 1");
  EXPECT_EQ(message({8, 8, 3}, {4, 3, 3, 3}, {}),
            "[conv2d] input has shape (8, 8, 3); wanted four axes (batch, height, width, "
            "channels)");
  EXPECT_EQ(message({1, 4, 8, 3}, {4, 5, 5, 3}, {}),
            "[conv2d] kernel of height 5 (dilation included) does not fit input (1, 4, 8, 3) "
            "with padding 0");
  EXPECT_EQ(message({1, 8, 8, 4}, {3, 3, 3, 2}, {.groups = 2}),
            "[conv2d] weight (3, 3, 3, 2) has 3 output channels, which 2 groups do not divide");
  EXPECT_EQ(message({1, 8, 8, 3}, {4, 3, 3, 3}, {.stride = {0, 1}}),
            "[conv2d] stride is 0; wanted 1 or more");
  EXPECT_EQ(message({1, 8, 8, 3}, {4, 3, 3, 3}, {}, int32),
            "[conv2d] got int32 and int32; wanted floating types");
  EXPECT_THROW(conv2d_input(zeros({1, 5, 5, 4}), zeros({4, 3, 3, 3}), {1, 8, 8, 3}), Error);
}

}  // namespace
}  // namespace mica
