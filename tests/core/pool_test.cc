#include "core/ops/pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_values;
using testing::normal_array;

struct Case {
  Shape x;
  Pool2dOptions options;
};

const Case kCases[] = {
    {{2, 4, 6, 3}, {}},
    {{3, 7, 5, 20}, {}},
    {{2, 28, 28, 20}, {}},
    {{1, 3, 3, 1}, {}},
    {{1, 9, 8, 5}, {{3, 3}, {2, 2}, {1, 1}}},
    {{2, 8, 8, 70}, {{3, 2}, {1, 3}, {0, 1}}},
    {{2, 6, 6, 4}, {{2, 2}, {3, 3}, {0, 0}}},
    {{2, 6, 6, 4}, {{6, 6}, {6, 6}, {0, 0}}},
    {{2, 5, 5, 17}, {{2, 2}, {2, 2}, {1, 1}}},
    {{0, 4, 4, 3}, {}},
    // More than one task's worth of lines, with windows that reach into those of two.
    {{3, 40, 40, 70}, {{3, 3}, {2, 2}, {1, 1}}},
    {{1, 31, 50, 96}, {{5, 4}, {1, 3}, {2, 0}}},
};

// Calls visit(output element, input elements of its window in row-major order).
template <class Visit>
void for_each_window(const Case& c, Visit&& visit) {
  const Shape y = pool2d_shape(c.x, c.options);
  const auto& [kernel, stride, padding] = c.options.fields();
  int64_t out = 0;
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t i = 0; i < y[1]; ++i) {
      for (int64_t j = 0; j < y[2]; ++j) {
        for (int64_t channel = 0; channel < y[3]; ++channel, ++out) {
          std::vector<int64_t> inside;
          for (int64_t a = 0; a < kernel[0] * kernel[1]; ++a) {
            const int64_t row = i * stride[0] - padding[0] + a / kernel[1];
            const int64_t column = j * stride[1] - padding[1] + a % kernel[1];
            if (row < 0 || row >= c.x[1] || column < 0 || column >= c.x[2]) continue;
            inside.push_back(((n * c.x[1] + row) * c.x[2] + column) * c.x[3] + channel);
          }
          visit(out, inside);
        }
      }
    }
  }
}

int64_t first_maximum(const std::vector<double>& x, const std::vector<int64_t>& window) {
  int64_t best = window[0];
  for (const int64_t i : window) best = x[i] > x[best] ? i : best;
  return best;
}

TEST(Pool2d, ValuesAndGradientsEqualNaive) {
  for (const Case& c : kCases) {
    for (const Dtype dtype : {float32, float64, float16, bfloat16}) {
      const double tolerance = dtype == float64 ? 1e-12 : dtype == float32 ? 1e-6 : 2e-2;
      // Few distinct values, so that maxima are shared.
      const Array x = astype(floor(normal_array(c.x, 1, float64) * 4), dtype);
      const Shape y = pool2d_shape(c.x, c.options);
      const Array g = normal_array(y, 2, dtype);
      const std::vector<double> from = x.to_vector<double>(), weights = g.to_vector<double>();
      std::vector<double> max(weights.size()), avg = max, dmax(from.size()), davg = dmax;
      const double area = double(c.options.kernel[0] * c.options.kernel[1]);
      for_each_window(c, [&](int64_t out, const std::vector<int64_t>& window) {
        const int64_t best = first_maximum(from, window);
        max[out] = from[best];
        dmax[best] += weights[out];
        for (const int64_t i : window) {
          avg[out] += from[i] / area;
          davg[i] += weights[out] / area;
        }
      });
      const auto max_sum = [&](const Array& x) { return sum(max_pool2d(x, c.options) * g); };
      const auto avg_sum = [&](const Array& x) { return sum(avg_pool2d(x, c.options) * g); };
      EXPECT_EQ(max_pool2d(x, c.options).shape(), y);
      expect_values(max_pool2d(x, c.options), max, 0);
      expect_values(avg_pool2d(x, c.options), avg, tolerance);
      expect_values(grad(max_sum)(x), dmax, tolerance);
      expect_values(grad(avg_sum)(x), davg, tolerance);
    }
  }
}

TEST(Pool2d, DifferentiatesTwice) {
  for (const Case& c : {Case{{2, 4, 6, 3}, {}}, Case{{1, 5, 5, 2}, {{3, 3}, {2, 2}, {1, 1}}}}) {
    const Arrays at = {normal_array(c.x, 3, float64)};
    const auto max_cubed = [&](const Arrays& in) {
      const Array y = max_pool2d(in[0], c.options);
      return sum(y * y * y);
    };
    const auto avg_cubed = [&](const Arrays& in) {
      const Array y = avg_pool2d(in[0], c.options);
      return sum(y * y * y);
    };
    check_derivatives(max_cubed, at);
    check_derivatives(avg_cubed, at);
  }
}

TEST(Pool2d, NanIsTheMaximum) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Pool2dOptions wide = {{2, 4}, {2, 4}, {0, 0}};
  for (int place = 0; place < 8; ++place) {
    std::vector<float> values = {1, 2, 3, 4, 8, 7, 6, 5};
    values[place] = nan;
    const Array x = Array::from(values, {1, 2, 4, 1});
    std::vector<float> want(8, 0.0f);
    want[place] = 1;
    EXPECT_TRUE(std::isnan(max_pool2d(x, wide).item<float>()));
    const auto total = [&](const Array& x) { return sum(max_pool2d(x, wide)); };
    EXPECT_EQ(grad(total)(x).to_vector<float>(), want);
    for (const Dtype dtype : {float32, bfloat16}) {
      const std::vector<float> halves = max_pool2d(astype(x, dtype), {}).to_vector<float>();
      EXPECT_TRUE(std::isnan(halves[place % 4 / 2]));
      EXPECT_FALSE(std::isnan(halves[1 - place % 4 / 2]));
    }
  }
}

TEST(Pool2d, SameBitsWithAnyNumberOfThreads) {
  for (const Pool2dOptions& options : {Pool2dOptions{}, Pool2dOptions{{3, 3}, {2, 2}, {1, 1}}}) {
    const Array x = normal_array({16, 28, 28, 20}, 4, float32);
    const auto f = [&](const Array& x) {
      return sum(square(max_pool2d(x, options))) + sum(square(avg_pool2d(x, options)));
    };
    set_threads(1);
    const std::vector<std::byte> one = grad(f)(x).to_bytes();
    set_threads(2);
    EXPECT_EQ(one, grad(f)(x).to_bytes());
    set_threads(0);
  }
}

TEST(Pool2d, ErrorsNameTheShapes) {
  const auto message = [](const Shape& shape, Dtype dtype, const Pool2dOptions& o) {
    return error_text([&] { max_pool2d(zeros(shape, dtype), o); });
  };
  EXPECT_EQ(message({4, 4}, float32, {}),
            "[max_pool2d] input has shape (4, 4); wanted four axes (batch, height, width, "
            "channels)");
  EXPECT_EQ(message({1, 1, 4, 3}, float32, {}),
            "[max_pool2d] kernel of height 2 does not fit input (1, 1, 4, 3) with padding 0");
  EXPECT_EQ(message({1, 4, 4, 3}, int32, {}), "[max_pool2d] got int32; wanted a floating type");
  EXPECT_EQ(message({1, 4, 4, 3}, float32, {{2, 2}, {2, 2}, {2, 0}}),
            "[max_pool2d] padding is 2; wanted 0 or more, and less than the kernel's 2");
}

}  // namespace
}  // namespace mica
