// Results chosen by one condition for all elements are computed in their place, and are the same.
#include "core/ops/fused_calls.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/plan/plan.h"

namespace mica {
namespace {

Array normal(const Shape& shape, uint64_t seed) {
  const Array x = random::normal(shape, random::key(seed));
  eval(x);
  return x;
}

std::vector<std::byte> bytes_of(const Arrays& arrays) {
  std::vector<std::byte> all;
  for (const Array& array : arrays) {
    const auto bytes = array.to_bytes();
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

// Three steps of an update with momentum, written over its state, the second one refused.
std::vector<std::byte> guarded_run(const Shape& shape) {
  Array weight = normal(shape, 1), momentum = normal(shape, 2);
  const auto step = compile(
      [&](const Arrays& in) -> Arrays {
        const Array good = in[0], gradient = weight * in[1];
        const Array after = momentum * 0.9 + gradient;
        const Array moved = weight - after * 0.1;
        momentum = where(good, after, momentum);
        weight = where(good, moved, weight);
        return {sum(square(gradient))};
      },
      {.state = [&] {
        return std::vector<Array*>{&weight, &momentum};
      }});
  Arrays results;
  for (const bool good : {true, false, true}) {
    results.push_back(step({full({}, good, bool_), full({}, 0.3f)})[0]);
  }
  results.push_back(weight);
  results.push_back(momentum);
  return bytes_of(results);
}

TEST(FusedCalls, GuardedUpdatesAreThoseOfEachNode) {
  for (const Shape& shape : {Shape{7}, {3, 700}, {64, 1024}}) {
    const auto bytes = guarded_run(shape);
    set_fusion(false);
    EXPECT_EQ(guarded_run(shape), bytes);
    set_fusion(true);
  }
}

TEST(FusedCalls, WhatIsReadLaterIsNotWrittenOver) {
  for (const bool good : {true, false}) {
    Array x = full({1000}, 2.0f);
    const auto step = compile(
        [&](const Arrays& in) -> Arrays {
          const Array value = x + 1, other = x * value;
          x = where(in[0], value, x);
          return {other};
        },
        {.state = [&] { return std::vector<Array*>{&x}; }});
    EXPECT_EQ(step({full({}, good, bool_)})[0].to_vector<float>(), std::vector<float>(1000, 6));
    EXPECT_EQ(x.to_vector<float>(), std::vector<float>(1000, good ? 3.0f : 2.0f));
  }
}

// A guarded update has as many calls as one without, when its condition holds.
TEST(FusedCalls, ConditionsThatHoldCostNothing) {
  const int64_t n = 100;
  const Array good = full({}, true, bool_), x = normal({n}, 1);
  eval(good);
  const auto plan = find_plan(trace_graph({where(good, exp(x) + 1, x)}).graph);
  ASSERT_EQ(plan->steps.size(), 1u);
  const auto& fused = dynamic_cast<const Fused&>(*plan->steps[0].op);
  bool condition = true;
  std::vector<float> memory(static_cast<size_t>(n)), result(memory);
  std::vector<Operand> in;
  for (const Spec& spec : fused.inputs) {
    const bool is_condition = spec.dtype == bool_;
    const bool is_one = spec.shape.empty();
    auto* data = is_condition ? reinterpret_cast<std::byte*>(&condition)
                              : reinterpret_cast<std::byte*>(memory.data());
    in.push_back({data, spec.dtype, {n}, {is_condition || is_one ? 0 : 1}});
  }
  const Operand out = {reinterpret_cast<std::byte*>(result.data()), float32, {n}, {1}};
  const FusedCalls calls(fused, in);
  EXPECT_EQ(calls.choose(in, {&out, 1}).size(), 2u);
  EXPECT_EQ(calls.fewest(), 2u);
  condition = false;
  EXPECT_EQ(calls.choose(in, {&out, 1}).size(), 3u);
}

}  // namespace
}  // namespace mica
