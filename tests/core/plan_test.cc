#include "core/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"

namespace mica {
namespace {

using ::testing::ElementsAre;

std::shared_ptr<const Plan> plan_of(const Arrays& roots) {
  return find_plan(trace_graph(roots).graph);
}

TEST(PlanTest, NumbersAreArguments) {
  Array w = ones({4});
  eval(w);
  const auto step = [&](float lr) {
    w = w - lr * (w * 2 + 1);
    eval(w);
  };
  step(0.5f);
  const size_t misses = plan_cache_use().misses;
  for (int i = 0; i < 10; ++i) step(0.1f * static_cast<float>(i));
  EXPECT_EQ(plan_cache_use().misses, misses);
}

TEST(PlanTest, ChainsBecomeOneStep) {
  const Array x = ones({100});
  eval(x);
  EXPECT_EQ(plan_of({tanh(x * 2 + 1) - x})->steps.size(), 1u);
  // Both results come out of one pass.
  const Array y = exp(x);
  EXPECT_EQ(plan_of({y, y * 2})->steps.size(), 1u);
}

TEST(PlanTest, EqualNodesAreMergedAndViewsAreFree) {
  const Array x = ones({6});
  eval(x);
  EXPECT_EQ(plan_of({sum(x) + sum(x)})->steps.size(), 2u);
  EXPECT_EQ(plan_of({sum(transpose(reshape(x * 2, {2, 3})), {1})})->steps.size(), 3u);
}

TEST(PlanTest, ReusesMemoryInPlace) {
  const int64_t n = 1 << 16;
  Array x = ones({n});
  eval(x);
  Array y = x;
  // Sums between the chains keep them apart.
  for (int i = 0; i < 10; ++i) y = y * 2 + sum(y);
  const auto plan = plan_of({sum(y)});
  EXPECT_LE(plan->arena_bytes, static_cast<size_t>(2 * n * 4 + 4096));
}

TEST(PlanTest, WhatGivesBackMemoryRunsAsSoonAsItCan) {
  const Array x = ones({64, 64});
  eval(x);
  const auto build = [&]() -> Arrays {
    const Array first = matmul(x, x), second = matmul(x, transpose(x));
    // The last root is the last reader of `first` once its maximum is there.
    return {matmul(max(first, {0}, true), second), sum(exp(first))};
  };
  std::vector<std::string_view> names;
  const auto plan = plan_of(build());
  for (const Step& step : plan->steps) names.push_back(step.op->name());
  EXPECT_THAT(names, ElementsAre("matmul", "max", "fused", "matmul", "matmul"));
}

TEST(PlanTest, GroupsNeverWaitForEachOtherInACircle) {
  // a feeds b directly and through a sum: the two may not share one pass.
  const Array x = array({1.0f, 2.0f, 3.0f});
  const Array a = x * 2;
  const Array b = a + sum(a);
  EXPECT_THAT((b * a).to_vector<float>(), ElementsAre(28, 64, 108));
  const Array c = broadcast_to(sum(a * b), {3});
  EXPECT_THAT((a + c).to_vector<float>(), ElementsAre(202, 204, 206));
}

TEST(PlanTest, LongChainsAreCut) {
  Array x = ones({5});
  for (int i = 0; i < 1000; ++i) x = x + 1;
  const auto plan = plan_of({x});
  EXPECT_GT(plan->steps.size(), 10u);
  EXPECT_EQ(x.to_vector<float>()[4], 1001);
}

TEST(PlanTest, SameBitsWithoutFusionAndOnAnyNumberOfThreads) {
  const Array x = random::normal({257, 130}, random::key(3));
  const Array w = random::normal({130, 77}, random::key(4));
  eval(x, w);
  const auto run = [&] {
    const UnaryFunction loss = [&](const Array& v) {
      return mean(square(tanh(matmul(x, v)) - 0.5f));
    };
    return grad(loss)(w).to_bytes();
  };
  const auto reference = run();
  set_fusion(false);
  EXPECT_EQ(run(), reference);
  set_fusion(true);
  set_threads(1);
  EXPECT_EQ(run(), reference);
  set_threads(2);
  EXPECT_EQ(run(), reference);
  set_threads(0);
}

// Sums of lines and of rows, shorter and longer than their blocks, beside results that stay.
TEST(PlanTest, ReductionsOfAChainAreOnePassWithTheSameBits) {
  const std::vector<std::pair<Shape, Axes>> cases = {
      {{1}, {0}},         {{5000}, {}},         {{3, 1024}, {1}}, {{700, 10}, {1}},
      {{300, 33}, {0}},   {{7, 2500}, {1}},     {{2, 5, 7}, {}},  {{2, 5, 7}, {1, 2}},
      {{65, 3, 40}, {0}}, {{20, 9, 6}, {0, 1}}, {{200, 1}, {0}},  {{1000, 1100}, {0}},
      {{40, 1, 17}, {2}}, {{129, 2048}, {}}};
  for (const auto& [shape, axes] : cases) {
    for (const Dtype dtype : {float32, float64}) {
      SCOPED_TRACE(fmt::format("{} {}", to_string(shape), dtype));
      const Array x = random::normal(shape, random::key(1), dtype);
      const Array y = random::normal({shape.back()}, random::key(2), dtype);
      eval(x, y);
      const auto run = [&] {
        const Array a = tanh(x) * y;
        const Arrays all = {sum(a, axes), max(square(a) - x, axes), min(a, axes), a + 1};
        EXPECT_EQ(plan_of(all)->steps.size(), 1u);
        eval(all);
        std::vector<std::vector<std::byte>> bytes;
        for (const Array& each : all) bytes.push_back(each.to_bytes());
        return bytes;
      };
      const auto fused = run();
      set_threads(1);
      EXPECT_EQ(run(), fused);
      set_threads(0);
      // Each value on its own.
      const Array a = tanh(x) * y;
      const Array b = square(a) - x;
      eval(a), eval(b);
      EXPECT_EQ(sum(a, axes).to_bytes(), fused[0]);
      EXPECT_EQ(max(b, axes).to_bytes(), fused[1]);
      EXPECT_EQ(min(a, axes).to_bytes(), fused[2]);
    }
  }
}

// Reductions along other axes, and values that need them, go to passes of their own.
TEST(PlanTest, ReductionsThatDoNotGoTogetherStayApart) {
  const Array x = random::normal({60, 70}, random::key(1));
  eval(x);
  const auto build = [&] {
    const Array a = exp(x);
    return a / sum(a, {1}, true) + sum(a, {0}) * max(a);
  };
  EXPECT_LE(plan_of({build()})->steps.size(), 6u);
  const auto fused = build().to_bytes();
  set_fusion(false);
  EXPECT_EQ(build().to_bytes(), fused);
  set_fusion(true);
}

int steps_of(const Arrays& roots, std::string_view name) {
  const auto plan = plan_of(roots);
  return static_cast<int>(std::ranges::count_if(
      plan->steps, [&](const Step& step) { return step.op->name() == name; }));
}

TEST(PlanTest, GradientsOfSlicesThatFillTheirArrayAreJoined) {
  const Array x = random::normal({6, 8}, random::key(1));
  eval(x);
  const auto gradient = [&](int64_t first, int64_t last) {
    const UnaryFunction loss = [=](const Array& v) {
      Array total = sum(square(v));
      for (int64_t i = first; i < last; ++i) {
        total = total + static_cast<float>(i) * sum(slice_axis(v, 1, 2 * i, 2 * i + 2));
      }
      return total;
    };
    return grad(loss)(x);
  };
  const Array joined = gradient(0, 4);
  EXPECT_EQ(steps_of({joined}, "unslice"), 0);
  EXPECT_EQ(steps_of({joined}, "concatenate"), 1);
  const Array apart = gradient(1, 4);
  EXPECT_EQ(steps_of({apart}, "unslice"), 3);
  const auto values = x.to_vector<float>();
  const auto got = joined.to_vector<float>();
  const auto with_gap = apart.to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_FLOAT_EQ(got[i], 2 * values[i] + static_cast<float>(i % 8 / 2));
    EXPECT_EQ(with_gap[i], got[i]);
  }
}

TEST(PlanTest, AlgebraLeavesFewerSteps) {
  const Array x = random::normal({5, 1}, random::key(1));
  const Array y = random::normal({5, 1}, random::key(2));
  eval(x, y);
  EXPECT_EQ(plan_of({sum(x, {1})})->steps.size(), 0u);
  // Built by functions: what a caller still holds is computed too.
  const auto code_of = [](const std::function<Array()>& build) {
    return plan_of({build()})->steps.at(0).op->print();
  };
  EXPECT_EQ(code_of([&] { return x - neg(y); }), "fused(add)");
  EXPECT_EQ(code_of([&] { return x + neg(y); }), "fused(subtract)");
  EXPECT_EQ(code_of([&] { return exp(neg(neg(x))); }), "fused(exp)");
  EXPECT_EQ((x - neg(y)).to_bytes(), (x + y).to_bytes());
}

// x - mean(x) is computed where it is read, not in a pass of its own.
TEST(PlanTest, NodesWaitForTheProgramThatReadsThem) {
  const Array x = random::normal({300, 40}, random::key(1));
  eval(x);
  const auto build = [&] {
    const Array row = mean(x, {0}, true);
    return (x - row) * rsqrt(matmul(row, transpose(row)) + 100);
  };
  const auto plan = plan_of({build()});
  EXPECT_EQ(plan->steps.back().op->print(), "fused(subtract, multiply)");
  const auto fused = build().to_bytes();
  set_fusion(false);
  EXPECT_EQ(build().to_bytes(), fused);
  set_fusion(true);
}

// Two instructions in one kernel round after each: all operations, sides and kinds of operands.
TEST(PlanTest, PairsOfInstructionsHaveTheBitsOfEach) {
  const int64_t n = 1037;
  const Array a = random::normal({n}, random::key(1));
  const Array b = random::normal({n}, random::key(2));
  const Array c = random::normal({n}, random::key(3));
  const Array s = random::normal({1}, random::key(4));
  const Array t = random::normal({1}, random::key(5));
  eval(a, b, c, s, t);
  using Operation = Array (*)(Array, Array);
  const std::vector<Operation> operations = {&add, &subtract, &multiply};
  const std::vector<std::pair<Array, Array>> operands = {{a, b}, {s, b}, {a, t}, {a, a}};
  for (const Operation first : operations) {
    for (const Operation second : operations) {
      for (const auto& [x, y] : operands) {
        for (const Array& z : {c, t, a}) {
          for (const bool left : {false, true}) {
            const auto build = [&] {
              const Array inner = first(x, y);
              return left ? second(inner, z) : second(z, inner);
            };
            const auto fused = build().to_bytes();
            set_fusion(false);
            EXPECT_EQ(build().to_bytes(), fused);
            set_fusion(true);
          }
        }
      }
    }
  }
}

// Results beyond the caches are written past them.
TEST(PlanTest, LargeResultsAreComplete) {
  const int64_t n = (3 << 20) + 5;
  const Array a = random::uniform({n}, random::key(1), 0, 1);
  const Array b = random::uniform({n}, random::key(2), 0, 1);
  eval(a, b);
  const auto sums = (a + b).to_vector<float>();
  const auto x = a.to_vector<float>();
  const auto y = b.to_vector<float>();
  size_t wrong = 0;
  for (size_t i = 0; i < x.size(); ++i) wrong += sums[i] != x[i] + y[i];
  EXPECT_EQ(wrong, 0u);
}

TEST(PlanTest, HalvesRoundAfterEveryOpFusedOrNot) {
  const Array x = astype(random::normal({1000}, random::key(1)), float16);
  eval(x);
  const auto run = [&] { return (exp(x) * x + 0.1f).to_bytes(); };
  const auto fused = run();
  set_fusion(false);
  EXPECT_EQ(run(), fused);
  set_fusion(true);
}

// In float32, where they would be summed anyway: no array of float32 is made for it.
TEST(PlanTest, SumsOfHalvesArePartOfTheirProgram) {
  for (const Dtype dtype : {bfloat16, float16}) {
    const Array x = astype(random::normal({300, 70}, random::key(1)), dtype);
    eval(x);
    const auto build = [&] { return sum(exp(x) - 1, {0}); };
    EXPECT_EQ(plan_of({build()})->steps.size(), 2u);  // the second rounds 70 sums
    const auto bytes = build().to_bytes();
    set_fusion(false);
    EXPECT_EQ(build().to_bytes(), bytes);
    set_fusion(true);
    const auto wide = sum(astype(exp(x) - 1, float32), {0});
    EXPECT_EQ(astype(wide, dtype).to_bytes(), bytes);
  }
}

TEST(PlanTest, WritesOverLeavesThatNobodyElseHolds) {
  const int64_t n = 1 << 16;
  Array w = ones({n});
  eval(w);
  const std::byte* bytes = w.node()->values[0].data;
  for (int i = 0; i < 3; ++i) {
    w = w - 0.5f * w;
    eval(w);
    EXPECT_EQ(w.node()->values[0].data, bytes);
  }
  EXPECT_EQ(w.to_vector<float>()[n - 1], 0.125f);
}

TEST(PlanTest, KeepsLeavesThatSomebodyHolds) {
  Array w = ones({100});
  eval(w);
  const Array before = w;
  const Array view = reshape(w, {10, 10});
  eval(view);
  w = w * 2;
  eval(w);
  EXPECT_EQ(before.to_vector<float>()[7], 1);
  // The view shares the buffer, if not the node.
  Array only = view;
  Array moved = std::move(only) + 1;
  eval(moved);
  EXPECT_EQ(before.to_vector<float>()[7], 1);
  EXPECT_EQ(view.to_vector<float>()[7], 1);
}

TEST(PlanTest, KeepsLeavesThatADerivativeStillReads) {
  const auto f = [](const Array& x) {
    const Array y = square(x);
    eval(y);  // must not write over x, which the derivative of square needs
    return sum(y * y);
  };
  EXPECT_THAT(grad(f)(array({1.0f, 2.0f})).to_vector<float>(), ElementsAre(4, 32));
}

TEST(PlanTest, TotalsThatNobodyReadsDoNotGrowWithoutBound) {
  Array x = ones({4});
  Array total = zeros({1000});
  eval(x, total);
  const size_t before = memory_use().active;
  for (int step = 0; step < 3 * kMostDepth; ++step) {
    x = x * 0.5f;
    total = total + sum(x);
    eval(x);
  }
  EXPECT_LT(total.node()->depth, kMostDepth);
  EXPECT_LT(memory_use().active, before + 64 * kMostDepth * 2);
  EXPECT_EQ(total.to_vector<float>()[0], 4);
}

TEST(PlanTest, AShortageOfMemoryNamesWhatWantedIt) {
  const Array x = ones({1 << 10, 1});
  const Array y = ones({1, 1 << 10});
  eval(x, y);
  const size_t limit = set_memory_limit(memory_use().active + (1 << 20));
  try {
    eval(matmul(x, y) * 2);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("float32 of (1024, 1024) by matmul: 4194304"));
  }
  set_memory_limit(limit);
  // The system would promise these 4 TiB and kill the process when they are written.
  EXPECT_THROW(eval(ones({1 << 20, 1}) * 2 + ones({1, 1 << 20})), Error);
}

TEST(PlanTest, TellsAnObserverOfEveryStep) {
  const Array x = ones({8, 8});
  eval(x);
  std::vector<std::string> names;
  set_step_observer([&](const StepTiming& step) {
    names.emplace_back(step.op.name());
    EXPECT_LE(step.begin, step.end);
  });
  eval(matmul(x, x) + 1);
  set_step_observer(nullptr);
  EXPECT_THAT(names, ElementsAre("matmul", "fused"));
}

// Of sigmoid(h), the forward pass keeps the result alone; of gelu(h), the derivative as well.
TEST(PlanTest, CheapValuesForTheGradientAreComputedThere) {
  const Array x = random::normal({64, 64}, random::key(1));
  const Array w = random::normal({64, 64}, random::key(2));
  eval(x, w);
  const auto results_of = [&](Array (*activation)(Array)) {
    const auto gradient =
        grad([&](const Array& v) { return sum(square(matmul(activation(matmul(x, v) + x), w))); });
    const auto plan = plan_of({gradient(w)});
    size_t most = 0;
    for (const Step& step : plan->steps) most = std::max(most, step.out.size());
    const std::vector<std::byte> planned = gradient(w).to_bytes();
    set_fusion(false);
    EXPECT_EQ(gradient(w).to_bytes(), planned);
    set_fusion(true);
    return most;
  };
  EXPECT_EQ(results_of(sigmoid), 1u);
  EXPECT_EQ(results_of(tanh), 1u);
  EXPECT_EQ(results_of(gelu), 2u);
}

// They live until the end of the statement, but nobody can read them any more.
TEST(PlanTest, TemporariesOfAnExpressionAreNotKept) {
  const Array x = ones({256, 256}), y = ones({256});
  eval(x, y);
  const auto bytes_of = [](const auto& statement) {
    const size_t before = memory_use().active;
    reset_peak_memory();
    statement();
    return memory_use().peak - before;
  };
  const size_t bytes = static_cast<size_t>(x.size()) * sizeof(float);
  const size_t scratch = bytes / 4;
  EXPECT_LT(bytes_of([&] {
              eval(where(-x > 0.5f, clip(exp(x) * 2, 0, 1), 0.5f * x * (1 + tanh(x * y))) + y);
            }),
            bytes + scratch);
  EXPECT_LT(bytes_of([&] { eval(sum(astype((x + 1) * 2, float32), {0})); }), scratch);
}

TEST(PlanTest, ProductsThatAreReadTransposedAreComputedSo) {
  const Array a = astype(reshape(arange(2 * 3 * 4), {2, 3, 4}), float32);
  const Array b = astype(reshape(arange(4 * 5), {4, 5}), float32);
  eval(a, b);
  const Array wanted = swapaxes(matmul(a, expand_dims(b, {0})), -1, -2) * 2;
  const auto plan = plan_of({wanted});
  ASSERT_EQ(plan->steps.size(), 2u);
  EXPECT_TRUE(plan->steps[1].in[0].layout.is_contiguous());
  const std::vector<float> values = wanted.to_vector<float>();
  // Row 2 of the first matrix times column 3.
  EXPECT_EQ(values[3 * 3 + 2], 2 * (8 * 3 + 9 * 8 + 10 * 13 + 11 * 18));
}

TEST(PlanTest, SumsOfThinProductsAreOneProduct) {
  const int64_t steps = 6;
  const Array x = random::normal({steps, 2, 16}, random::key(1));
  const Array w = random::normal({32, 16}, random::key(2));
  const Array bias = random::normal({32, 16}, random::key(3));
  eval(x, w, bias);
  const auto f = [&](const Array& v) {
    Array total = sum(v * bias);
    for (int64_t t = 0; t < steps; ++t) {
      const Array rows = reshape(slice_axis(x, 0, t, t + 1), {2, 16});
      total = total + sum(square(matmul(rows, transpose(v))));
    }
    return total;
  };
  const Array joined = grad(f)(w);
  const auto plan = plan_of({joined});
  const auto products = std::ranges::count_if(
      plan->steps, [](const Step& step) { return step.op->name() == "matmul"; });
  EXPECT_EQ(products, steps + 1);
  // 2 (sum of x^T x) w + bias
  const Array rows = reshape(x, {steps * 2, 16});
  const Array wanted = 2 * matmul(w, matmul(transpose(rows), rows)) + bias;
  const std::vector<float> got = joined.to_vector<float>();
  const std::vector<float> want = wanted.to_vector<float>();
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-3) << i;
}

}  // namespace
}  // namespace mica
