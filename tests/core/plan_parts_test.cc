// Results that are parts of larger arrays: concatenations that copy nothing, and sums of which only
// slices are read.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/plan/plan.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

using Build = std::function<Array()>;

// The numbers of steps by the ops' names.
std::map<std::string, int> steps_of(const Array& root) {
  std::map<std::string, int> count;
  const auto plan = find_plan(trace_graph({root}).graph);
  for (const Step& step : plan->steps) ++count[std::string(step.op->name())];
  return count;
}

Array normal(const Shape& shape, uint64_t seed, Dtype dtype = float32) {
  const Array x = random::normal(shape, random::key(seed), dtype);
  eval(x);
  return x;
}

// Fused or not, on one thread and on two.
std::vector<std::byte> same_bytes(const Build& build) {
  const auto bytes = build().to_bytes();
  set_fusion(false);
  EXPECT_EQ(build().to_bytes(), bytes);
  set_fusion(true);
  for (const int count : {1, 2}) {
    set_threads(count);
    EXPECT_EQ(build().to_bytes(), bytes);
  }
  set_threads(0);
  return bytes;
}

// Whole and broken rows and tiles, types of several widths, scattered and in place.
TEST(PlanPartsTest, ProgramsWriteToTheirPartOfAConcatenation) {
  for (const Shape& shape : {Shape{5, 1, 7}, {40, 256}, {3, 300}, {6, 512, 2}, {9, 1031}, {64}}) {
    for (const Dtype dtype : {float32, float64, float16, bool_}) {
      const Array x = normal(shape, 1);
      const Array y = normal(shape, 2);
      for (int axis = 0; axis < x.rank(); ++axis) {
        SCOPED_TRACE(fmt::format("{} {} {}", to_string(shape), dtype, axis));
        const auto a = [&] { return astype(exp(x) - 1, dtype); };
        const auto b = [&] { return astype(tanh(y), dtype); };
        const Build build = [&] { return concatenate({a(), b(), a()}, axis); };
        EXPECT_EQ(steps_of(build())["concatenate"], 0);
        const Array first = a(), second = b();
        eval(first, second);
        EXPECT_EQ(same_bytes(build), concatenate({first, second, first}, axis).to_bytes());
      }
    }
  }
}

TEST(PlanPartsTest, PartsOfPartsAndTheirReaders) {
  const Array x = normal({4, 32, 256}, 1);
  const Array w = normal({512, 16}, 2);
  const Build build = [&] {
    Arrays rows, products;
    for (int64_t i = 0; i < 4; ++i) {
      const Array row = reshape(slice_axis(x, 0, i, i + 1), {32, 256});
      const Array both = concatenate({tanh(row), exp(row)}, 1);
      products.push_back(matmul(both, w));
      rows.push_back(expand_dims(both, {0}));
    }
    const Array joined = concatenate(rows, 0);
    return matmul(reshape(joined, {128, 512}), w) - concatenate(products, 0);
  };
  auto steps = steps_of(build());
  EXPECT_EQ(steps["concatenate"] + steps["contiguous"], 0);
  const auto bytes = same_bytes(build);
  const auto* values = reinterpret_cast<const float*>(bytes.data());
  for (size_t i = 0; i < bytes.size() / sizeof(float); ++i) EXPECT_NEAR(values[i], 0, 1e-3);
}

TEST(PlanPartsTest, WhatIsNotComputedThereIsCopied) {
  const Array x = normal({8, 256}, 1);
  const Array y = normal({8, 256}, 2);
  const Array sum = x + y;
  eval(sum);
  // A leaf, a part that is there twice, and a view.
  const Build build = [&] {
    const Array a = x + y;
    return concatenate({a, a, y, transpose(transpose(a) * 1)}, 0);
  };
  auto steps = steps_of(build());
  EXPECT_EQ(steps["concatenate"], 0);
  EXPECT_EQ(steps["contiguous"], 1);
  EXPECT_EQ(same_bytes(build), concatenate({sum, sum, y, sum}, 0).to_bytes());
  // A part of two arrays, which are parts themselves.
  const Build twice = [&] {
    const Array a = x + y;
    return concatenate({concatenate({a, neg(x)}, 0), concatenate({neg(y), a}, 0)}, 1);
  };
  steps = steps_of(twice());
  EXPECT_EQ(steps["concatenate"], 0);
  EXPECT_EQ(steps["contiguous"], 1);
  const Array left = concatenate({sum, neg(x)}, 0), right = concatenate({neg(y), sum}, 0);
  eval(left, right);
  EXPECT_EQ(same_bytes(twice), concatenate({left, right}, 1).to_bytes());
  EXPECT_EQ(steps_of(concatenate({x, y}, 1))["concatenate"], 1);
}

TEST(PlanPartsTest, ReductionsOfProgramsAreParts) {
  const Array x = normal({32, 48}, 1);
  for (const int axis : {0, 1}) {
    const auto a = [&] { return sum(exp(x), {axis}, true); };
    const auto b = [&] { return sum(tanh(x), {axis}, true); };
    const Array first = a(), second = b();
    eval(first, second);
    for (const int along : {0, 1}) {
      const Build build = [&] { return concatenate({a(), b()}, along); };
      EXPECT_EQ(same_bytes(build), concatenate({first, second}, along).to_bytes());
    }
  }
}

TEST(PlanPartsTest, PartsThatSomebodyHoldsKeepTheirValues) {
  const Array x = normal({4, 100}, 1);
  const Array part = exp(x);
  const Array joined = concatenate({part, x * 2}, 1);
  eval(joined, part);
  EXPECT_EQ(part.to_bytes(), exp(x).to_bytes());
  EXPECT_EQ(slice_axis(joined, 1, 0, 100).to_bytes(), part.to_bytes());
}

// Columns of a larger array are read where they lie, if their rows are long.
TEST(PlanPartsTest, ProgramsReadSlicesOfRows) {
  for (const int64_t width : {3, 128, 256, 300, 512, 1024, 1031}) {
    SCOPED_TRACE(width);
    const Array x = normal({37, 2 * width}, 1);
    const Array bias = normal({width}, 2);
    const auto f = [](const Array& a, const Array& b, const Array& c) {
      return sigmoid(a + c) * tanh(b) - a;
    };
    const Build build = [&] { return f(split(x, 2, 1)[0], split(x, 2, 1)[1], bias); };
    const Array a = split(x, 2, 1)[0] * 1, b = split(x, 2, 1)[1] * 1;
    const Array c = broadcast_to(bias, {37, width}) * 1;
    eval(a, b, c);
    EXPECT_EQ(same_bytes(build), f(a, b, c).to_bytes());
  }
}

TEST(PlanPartsTest, SumsThatAreReadInSlicesAreComputedThere) {
  const int64_t steps = 4;
  const Array x = normal({steps * 32, 64}, 1);
  const Array w = normal({64, 128}, 2);
  const Array bias = normal({128}, 3);
  const auto read = [&](const Array& whole, int64_t length) {
    Array h = zeros({length, 128});
    for (int64_t t = 0; t < steps; ++t) {
      h = tanh(slice_axis(whole, 0, t * 32, t * 32 + length) + matmul(h, ones({128, 128})));
    }
    return h;
  };
  const Array given = matmul(x, w) + bias;
  eval(given);
  const auto fused_steps = [&](const Build& build) { return steps_of(build())["fused"]; };
  const Build in_slices = [&] { return read(matmul(x, w) + bias, 32); };
  EXPECT_EQ(fused_steps(in_slices), fused_steps([&] { return read(given, 32); }));
  EXPECT_EQ(same_bytes(in_slices), read(given, 32).to_bytes());
  // Slices that overlap would be computed twice.
  const Build overlapping = [&] {
    const Array whole = matmul(x, w) + bias;
    return tanh(slice_axis(whole, 0, 0, 64)) + exp(slice_axis(whole, 0, 32, 96));
  };
  EXPECT_EQ(fused_steps(overlapping), 2);
  const Array apart = tanh(slice_axis(given, 0, 0, 64)) + exp(slice_axis(given, 0, 32, 96));
  EXPECT_EQ(same_bytes(overlapping), apart.to_bytes());
}

}  // namespace
}  // namespace mica
