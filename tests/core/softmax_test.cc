#include "core/ops/softmax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double log_sum(const std::vector<double>& row) {
  double best = -kInf;
  for (double v : row) best = std::max(best, v);
  double total = 0;
  for (double v : row) total += std::exp(v - best);
  return best + std::log(total);
}

// Rows of many lengths, so that whole vectors and what is left over both occur.
TEST(Softmax, EqualsNaiveForAllRowLengths) {
  for (const Dtype dtype : {float32, float64}) {
    const double tolerance = dtype == float64 ? 1e-13 : 3e-6;
    for (const int64_t n : {1, 2, 7, 10, 15, 16, 17, 33, 100, 1000}) {
      const Array x = normal_array({3, n}, static_cast<uint32_t>(n), dtype) * 3;
      const std::vector<double> values = x.to_vector<double>();
      std::vector<double> probabilities;
      std::vector<double> logs;
      std::vector<double> sums;
      for (int64_t row = 0; row < 3; ++row) {
        const std::vector<double> line(values.begin() + row * n, values.begin() + (row + 1) * n);
        sums.push_back(log_sum(line));
        for (double v : line) {
          logs.push_back(v - sums.back());
          probabilities.push_back(std::exp(logs.back()));
        }
      }
      expect_values(softmax(x), probabilities, tolerance);
      expect_values(log_softmax(x), logs, tolerance);
      expect_values(logsumexp(x, {-1}), sums, tolerance);
    }
  }
}

TEST(Softmax, HalfTypesComputeInFloat32) {
  for (const Dtype dtype : {float16, bfloat16}) {
    const Array x = normal_array({4, 37}, 1, dtype);
    const Array y = softmax(x);
    EXPECT_EQ(y.dtype(), dtype);
    expect_same(y, astype(softmax(astype(x, float32)), dtype), 0);
    expect_same(logsumexp(x, {-1}), astype(logsumexp(astype(x, float32), {-1}), dtype), 0);
  }
}

TEST(Softmax, WorksAlongAnyAxisAndOnStridedInput) {
  const Array x = normal_array({3, 4, 5}, 2);
  const Array middle = moveaxis(softmax(moveaxis(x, 1, -1)), -1, 1);
  expect_same(softmax(x, 1), middle);
  expect_same(softmax(x, -2), middle);
  expect_same(log_softmax(transpose(x), 0), transpose(log_softmax(x, 2)));
  expect_same(softmax(slice(x, {0, 3, 0}, {3, -5, 5}, {1, -2, 1})),
              slice(softmax(x), {0, 3, 0}, {3, -5, 5}, {1, -2, 1}));
}

TEST(Softmax, LogSumExpOverSeveralAxes) {
  const Array x = normal_array({2, 3, 4}, 3);
  expect_values(logsumexp(x), {log_sum(x.to_vector<double>())}, 1e-12);
  EXPECT_EQ(logsumexp(x, {0, -1}).shape(), Shape({3}));
  EXPECT_EQ(logsumexp(x, {0, 2}, true).shape(), Shape({1, 3, 1}));
  expect_same(logsumexp(x, {0, 2}), logsumexp(logsumexp(x, {0}), {-1}), 1e-12);
  expect_values(logsumexp(Array::scalar(2.5, float64)), {2.5});
}

TEST(Softmax, EdgesOfTheNumbers) {
  const auto logits = [](std::vector<double> v) {
    return Array::from(v, {static_cast<int64_t>(v.size())});
  };
  expect_values(logsumexp(logits({-kInf, -kInf})), {-kInf});
  expect_values(logsumexp(logits({-kInf, 1})), {1});
  expect_values(logsumexp(logits({kInf, 1})), {kInf});
  expect_values(logsumexp(logits({kNan, kInf})), {kNan});
  expect_values(logsumexp(logits({1e4, 1e4})), {1e4 + std::log(2.0)});
  expect_values(softmax(logits({-kInf, 0, 0})), {0, 0.5, 0.5});
  expect_values(softmax(logits({1, kNan, 2})), {kNan, kNan, kNan});
  expect_values(softmax(logits({1e30, -1e30})), {1, 0});
  expect_values(astype(softmax(astype(logits({1, kNan, 2}), float32)), float64),
                {kNan, kNan, kNan});
}

TEST(Softmax, EmptyArrays) {
  const Array none = Array::from(std::vector<float>(), {0, 4});
  EXPECT_EQ(softmax(none).to_vector<float>().size(), 0u);
  EXPECT_EQ(cross_entropy(none, Array::from(std::vector<int>(), {0})).size(), 0);
  expect_values(logsumexp(Array::from(std::vector<float>(), {2, 0}), {-1}), {-kInf, -kInf});
}

TEST(Softmax, IntegersBecomeFloat32) {
  const Array x = array({1, 2, 3});
  EXPECT_EQ(softmax(x).dtype(), float32);
  expect_same(softmax(x), softmax(array({1.0f, 2.0f, 3.0f})));
}

TEST(Softmax, Derivatives) {
  const Array x = normal_array({2, 5}, 4);
  check_derivatives([](const Arrays& in) { return softmax(in[0]); }, {x});
  check_derivatives([](const Arrays& in) { return softmax(in[0], 0); }, {x});
  check_derivatives([](const Arrays& in) { return log_softmax(in[0]); }, {x});
  check_derivatives([](const Arrays& in) { return logsumexp(in[0], {-1}); }, {x});
  check_derivatives([](const Arrays& in) { return logsumexp(in[0], {0}, true); }, {x});
}

TEST(Softmax, LogSumExpOfNothingHasNoGradientInsteadOfNan) {
  const auto total = [](const Array& x) { return logsumexp(x); };
  expect_values(grad(total)(array({-INFINITY, -INFINITY})), {0, 0});
}

TEST(CrossEntropy, EqualsNegativeLogLikelihood) {
  const Array x = normal_array({4, 10}, 5);
  const Array labels = array({3, 0, 9, 5});
  const std::vector<double> logs = log_softmax(x).to_vector<double>();
  expect_values(cross_entropy(x, labels), {-logs[3], -logs[10], -logs[29], -logs[35]}, 1e-12);
  expect_same(cross_entropy(x, astype(labels, uint8)), cross_entropy(x, labels), 0);
}

TEST(CrossEntropy, SmallLossesKeepTheirDigits) {
  // log(1 + e^-8) beside logits of 1000 is lost unless the maximum is taken off first.
  expect_values(cross_entropy(array({1000.0f, 992.0f}), Array(0)), {std::log1p(std::exp(-8.0))},
                1e-7);
}

TEST(CrossEntropy, LabelsOutOfRangeGiveNothing) {
  const Array x = normal_array({3, 4}, 6);
  const Array labels = array({-100, 1, 4});
  const std::vector<double> loss = cross_entropy(x, labels).to_vector<double>();
  EXPECT_EQ(loss[0], 0);
  EXPECT_GT(loss[1], 0);
  EXPECT_EQ(loss[2], 0);
  const ScalarFunction total = [&](const Arrays& in) {
    return logsumexp(cross_entropy(in[0], labels));
  };
  const std::vector<double> gradient = grad(total)({x})[0].to_vector<double>();
  for (const int i : {0, 1, 2, 3, 8, 9, 10, 11}) EXPECT_EQ(gradient[i], 0);
}

// The kernel against log_softmax and a gather, over rows in one block, in several, and with labels
// that count for nothing. Both are within some units in the last place of the largest logit.
TEST(CrossEntropy, EqualsItsComposition) {
  for (const Dtype dtype : {float32, float64, float16, bfloat16}) {
    const double unit = dtype == float64   ? 0x1p-53
                        : dtype == float32 ? 0x1p-24
                        : dtype == float16 ? 0x1p-11
                                           : 0x1p-8;
    for (const Shape& shape : {Shape{3, 1}, Shape{2, 5, 10}, Shape{4, 100}, Shape{3, 5000}}) {
      SCOPED_TRACE(to_string(shape) + std::string(name_of(dtype)));
      const int64_t classes = shape.back();
      const Array x = normal_array(shape, 9, dtype) * 4;
      const Shape rows(shape.begin(), shape.end() - 1);
      const Array labels = astype(abs(normal_array(rows, 10)) * 0.5 * classes, int32);
      const Array g = normal_array(rows, 11, dtype);
      const auto [values, gradients] =
          vjp([&](const Arrays& in) { return Arrays{cross_entropy(in[0], labels)}; }, {x}, {g});
      const auto [wanted, wanted_gradients] = vjp(
          [&](const Arrays& in) {
            const Array hot = one_hot(labels, classes, float64);
            return Arrays{-sum(log_softmax(astype(in[0], float64)) * hot, {-1})};
          },
          {x}, {astype(g, float64)});
      expect_same(values[0], wanted[0], 16 * unit);
      expect_same(gradients[0], wanted_gradients[0], 16 * unit);
    }
  }
}

TEST(CrossEntropy, StrictRefusesLabelsThatAreNoClass) {
  const Array x = normal_array({3, 4}, 6);
  expect_same(cross_entropy(x, array({3, 1, 0}), true), cross_entropy(x, array({3, 1, 0})), 0);
  EXPECT_EQ(error_text([&] {
              cross_entropy(x, array({3, 1, -1}), true).to_bytes();
            }),
            "[cross_entropy] label -1 (element 2) is not one of the 4 classes");
}

TEST(CrossEntropy, RowsWithoutCotangentMayHoldAnything) {
  const Array x = array({{1.0f, NAN}, {0.0f, 0.0f}});
  const auto second = [](const Array& v) {
    return sum(where(array({false, true}), cross_entropy(v, array({0, 0})), 0));
  };
  expect_values(grad(second)(x), {0, 0, -0.5, 0.5});
}

TEST(CrossEntropy, Derivatives) {
  const Array x = normal_array({3, 5}, 7);
  const Array labels = array({4, -1, 2});
  check_derivatives([](const Arrays& in) { return cross_entropy(in[0], in[1]); }, {x, labels});
  check_derivatives([](const Arrays& in) { return square(cross_entropy(in[0] * in[2], in[1])); },
                    {x, labels, Array::scalar(0.7, float64)});
}

TEST(CrossEntropy, ErrorsNameShapesAndTypes) {
  const Array x = normal_array({3, 5}, 8);
  EXPECT_THAT(error_text([&] {
                cross_entropy(x, array({1, 2}));
              }),
              ::testing::HasSubstr("need labels of shape (3,), got (2,)"));
  EXPECT_THAT(error_text([&] {
                cross_entropy(x, array({1.0f, 2.0f, 3.0f}));
              }),
              ::testing::HasSubstr("labels must be integers, got float32"));
  EXPECT_THAT(error_text([&] { softmax(x, 2); }), ::testing::HasSubstr("[softmax]"));
  EXPECT_THAT(error_text([&] { softmax(Array(1.0f)); }), ::testing::HasSubstr("softmax"));
}

}  // namespace
}  // namespace mica
