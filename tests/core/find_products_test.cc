// Sums of elementwise products that the planner takes for matrix products, and those it must not.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/plan/plan.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"

namespace mica {
namespace {

int64_t products_in(const Arrays& roots) {
  const auto plan = find_plan(trace_graph(roots).graph);
  return std::ranges::count_if(plan->steps,
                               [](const Step& step) { return step.op->name() == "matmul"; });
}

Array sample(const Shape& shape, uint64_t seed, Dtype dtype = float32) {
  const Array x = astype(random::normal(shape, random::key(seed)), dtype);
  eval(x);
  return x;
}

// Sums a * b over `axes`, element by element.
std::vector<double> summed(const Array& a, const Array& b, const Axes& axes) {
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "test");
  const auto values = [&](const Array& x) {
    const Array whole = broadcast_to(astype(x, float64), shape) + 0.0;
    return whole.to_vector<double>();
  };
  const std::vector<double> x = values(a), y = values(b);
  int64_t count = 1;
  const auto is_summed = [&](size_t axis) {
    return std::ranges::count(axes, static_cast<int>(axis)) > 0;
  };
  for (size_t axis = 0; axis < shape.size(); ++axis) count *= is_summed(axis) ? 1 : shape[axis];
  std::vector<double> sums(static_cast<size_t>(count), 0.0);
  for (size_t i = 0; i < x.size(); ++i) {
    int64_t left = static_cast<int64_t>(i), at = 0, step = 1;
    for (size_t axis = shape.size(); axis-- > 0; left /= shape[axis]) {
      if (is_summed(axis)) continue;
      at += left % shape[axis] * step;
      step *= shape[axis];
    }
    sums[static_cast<size_t>(at)] += x[i] * y[i];
  }
  return sums;
}

struct Case {
  Shape a, b;
  Axes axes;
  int64_t products = 1;
};

void check(const Case& given, Dtype dtype) {
  const Array a = sample(given.a, 1, dtype), b = sample(given.b, 2, dtype);
  const Array result = sum(a * b, given.axes);
  SCOPED_TRACE(to_string(given.a) + " * " + to_string(given.b));
  EXPECT_EQ(products_in({result}), given.products);
  const std::vector<double> wanted = summed(a, b, given.axes);
  const std::vector<double> got = astype(result, float64).to_vector<double>();
  ASSERT_EQ(got.size(), wanted.size());
  const double tolerance = dtype == float64 ? 1e-12 : 1e-5;
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance * 10) << i;
}

TEST(FindProductsTest, SumsThatAreProducts) {
  const Case cases[] = {
      {{7, 30}, {30}, {1}},                      // matrix by vector
      {{30, 7}, {30, 1}, {0}},                   // vector by matrix
      {{30, 1}, {30, 7}, {0}},                   //
      {{7, 30, 1}, {30, 5}, {1}},                // matrix by matrix, and transposed operands
      {{7, 1, 30}, {5, 30}, {2}},                //
      {{30, 7, 1}, {30, 1, 5}, {0}},             //
      {{1, 5, 30}, {7, 1, 30}, {2}},             //
      {{30, 1, 7}, {5, 1}, {1}, 0},              // no axis of the sum is both's
      {{2, 3, 4, 5, 1}, {4, 5, 6}, {2, 3}},      // several axes in a run
      {{4, 5, 2, 3}, {4, 5, 1, 1}, {0, 1}},      //
      {{3, 8, 9, 1}, {3, 1, 9, 7}, {2}},         // of a batch
      {{3, 9, 1, 8}, {3, 9, 7, 1}, {1}},         //
      {{2, 3, 1, 30}, {2, 3, 9, 30}, {3}},       //
      {{1, 7, 1, 30}, {1, 1, 1, 30}, {3}},       // axes of length 1
      {{1, 30}, {30}, {1}, 0},                   //
      {{7, 30}, {30}, {0, 1}, 0},                // sums over all, or over what only one has
      {{7, 30}, {7, 30}, {1}, 0},                // nothing is repeated
      {{2, 3, 30, 4}, {3, 30, 1}, {2}, 0},       // the batch is no leading axis
      {{2, 30, 3, 40}, {30, 1, 40}, {1, 3}, 0},  // interleaved
      {{100, 1, 3}, {100, 3, 3}, {2}, 0},        // too small for a call each
  };
  for (const Case& given : cases) {
    check(given, float32);
    check(given, float64);
  }
}

TEST(FindProductsTest, OtherSumsStayAsTheyAre) {
  const Array x = sample({7, 30}, 1), w = sample({30}, 2);
  const Array product = x * w;
  EXPECT_EQ(products_in({product, sum(product, {1})}), 0);  // read twice
  EXPECT_EQ(products_in({max(x * w, {1})}), 0);
  EXPECT_EQ(products_in({sum(x + w, {1})}), 0);
  EXPECT_EQ(products_in({sum(relu(x) * w, {1})}), 0);  // one pass computes and sums
  EXPECT_EQ(products_in({sum(x * exp(w), {1})}), 1);
  for (const Dtype dtype : {int32, float16, bfloat16, complex64}) {
    const Array a = astype(x, dtype), b = astype(w, dtype);
    eval(a, b);
    EXPECT_EQ(products_in({sum(a * b, {1})}), 0);
  }
  // Both operands are repeated along the last axis, and so is the result.
  const Array y = sample({7, 30, 1}, 3), v = sample({30, 1}, 4);
  const Array repeated = sum(broadcast_to(y, {7, 30, 2}) * broadcast_to(v, {30, 2}), {1});
  EXPECT_EQ(products_in({repeated}), 0);
  const std::vector<double> wanted = summed(y, broadcast_to(v, {30, 2}), {1});
  const std::vector<float> got = repeated.to_vector<float>();
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-4) << i;
}

TEST(FindProductsTest, EmptyAxes) {
  EXPECT_EQ(sum(zeros({3, 0}) * zeros({0}), {1}).to_vector<float>(), std::vector<float>(3, 0.0f));
  EXPECT_EQ(sum(zeros({0, 3}) * zeros({3}), {1}).shape(), Shape({0}));
  EXPECT_EQ(sum(zeros({2, 0, 1}) * zeros({0, 3}), {1}).to_vector<float>(),
            std::vector<float>(6, 0.0f));
}

TEST(FindProductsTest, NumbersThatAreNotFiniteArrive) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const int64_t columns : {1, 5}) {
    std::vector<float> values(4 * 40, 1.0f);
    values[0] = kInf;  // times 0
    values[40 + 39] = kNan;
    values[80 + 1] = -kInf;
    const Array x = Array::from_bytes(values.data(), {4, 40, 1}, float32);
    const Array w =
        broadcast_to(reshape(astype(greater(arange(40), 0), float32), {40, 1}), {40, columns}) +
        zeros({40, columns});
    const Array rows = x + 0.0f;
    eval(rows, w);
    const Array result = sum(rows * w, {1});
    EXPECT_EQ(products_in({result}), 1);
    const std::vector<float> got = result.to_vector<float>();
    for (size_t j = 0; j < static_cast<size_t>(columns); ++j) {
      const auto at = [&](size_t row) { return got[row * static_cast<size_t>(columns) + j]; };
      EXPECT_TRUE(std::isnan(at(0)));
      EXPECT_TRUE(std::isnan(at(1)));
      EXPECT_EQ(at(2), -kInf);
      EXPECT_EQ(at(3), 39.0f);
    }
  }
}

TEST(FindProductsTest, LossesOfOneExampleUnderVmapAndTheirGradients) {
  const Array x = sample({50, 20}, 1), y = sample({50, 4}, 2), w = sample({20, 4}, 3);
  const auto of_one = [](const Arrays& in) {
    return Arrays{sum(square(sum(expand_dims(in[1], {1}) * in[0], {0}) - in[2]))};
  };
  const auto loss = [=](const Array& v) {
    return sum(vmap(of_one, {std::nullopt, 0, 0})({v, x, y})[0]);
  };
  const Array gradient = grad(UnaryFunction(loss))(w);
  EXPECT_EQ(products_in({gradient}), 2);
  const Array wanted = 2 * matmul(transpose(x), matmul(x, w) - y);
  const std::vector<float> got = gradient.to_vector<float>(), want = wanted.to_vector<float>();
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-3) << i;
}

TEST(FindProductsTest, SameBitsOnAnyNumberOfThreads) {
  const Array x = sample({3000, 300}, 1), w = sample({300}, 2), v = sample({3000, 1}, 3);
  const auto bytes = [&](int count) {
    set_threads(count);
    std::vector<std::vector<std::byte>> all;
    for (const Array& r : {sum(x * w, {1}), sum(x * v, {0})}) all.push_back(r.to_bytes());
    return all;
  };
  const auto one = bytes(1);
  EXPECT_EQ(bytes(2), one);
  set_threads(0);
}

}  // namespace
}  // namespace mica
