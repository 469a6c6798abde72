// The Optimizer: groups, state that goes round bit for bit, and what it refuses.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/plan/plan.h"
#include "optim/registry.h"
#include "tests/fixtures/fixtures.h"

namespace mica::optim {
namespace {

using fixtures::near;

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

struct Parameters {
  Array weight = random::normal({3, 4}, random::key(1));
  Array bias = random::normal({3}, random::key(2));
  NamedPointers named() { return {{"fc.weight", &weight}, {"fc.bias", &bias}}; }
};

NamedArrays gradients_of(uint64_t step) {
  return {{"fc.weight", random::normal({3, 4}, random::key(100 + step))},
          {"fc.bias", random::normal({3}, random::key(200 + step))}};
}

TEST(Optimizer, GroupsHaveTheirOwnRateAndDecay) {
  Parameters p;
  const Array weight = p.weight, bias = p.bias;
  Optimizer optimizer(Sgd{.lr = 0.5, .weight_decay = 0.1},
                      {{.pattern = "*.bias", .lr_factor = 2, .weight_decay = 0}});
  const NamedArrays g = gradients_of(0);
  optimizer.update(p.named(), g, 0.25);
  EXPECT_TRUE(near(p.weight, weight - 0.25 * (g.at("fc.weight") + 0.1 * weight), 1e-6));
  EXPECT_TRUE(near(p.bias, bias - 0.5 * g.at("fc.bias"), 1e-6));
}

TEST(Optimizer, TheFirstMatchingGroupHolds) {
  Parameters p;
  const Array bias = p.bias;
  Optimizer optimizer(Sgd{.lr = 1}, {{"fc.bias", 0}, {"fc.*", 3}});
  optimizer.update(p.named(), gradients_of(0));
  EXPECT_TRUE(near(p.bias, bias, 0));
}

TEST(Optimizer, ParametersWithoutGradientStay) {
  Parameters p;
  const Array weight = p.weight;
  Optimizer optimizer(Adam{});
  optimizer.update(p.named(), {{"fc.bias", ones({3})}});
  EXPECT_TRUE(p.weight.is_same(weight));
  EXPECT_FALSE(optimizer.state().contains("fc.weight.step"));
  // A parameter that joins later starts with its own first step.
  Parameters fresh;
  Optimizer first(Adam{});
  optimizer.update(p.named(), gradients_of(3));
  first.update(fresh.named(), gradients_of(3));
  EXPECT_TRUE(near(p.weight, fresh.weight, 0));
}

TEST(Optimizer, StateGoesRoundBitForBit) {
  for (const OptimizerRow& row : optimizer_rows()) {
    SCOPED_TRACE(row.name);
    const auto make = [&] {
      std::unique_ptr<Rule> rule = row.make();
      for (Setting& setting : rule->settings()) {
        if (setting.name == "momentum") *std::get<double*>(setting.value) = 0.9;
      }
      return Optimizer(std::move(rule));
    };
    Parameters straight, stopped;
    Optimizer a = make();
    for (uint64_t step = 0; step < 6; ++step) a.update(straight.named(), gradients_of(step));

    Optimizer b = make();
    for (uint64_t step = 0; step < 3; ++step) b.update(stopped.named(), gradients_of(step));
    const NamedArrays saved = b.state();
    Optimizer c = make();
    c.load_state(saved);
    EXPECT_EQ(c.steps(), 3);
    for (uint64_t step = 3; step < 6; ++step) c.update(stopped.named(), gradients_of(step));
    EXPECT_EQ(stopped.weight.to_bytes(), straight.weight.to_bytes());
    EXPECT_EQ(stopped.bias.to_bytes(), straight.bias.to_bytes());
    const NamedArrays ends = c.state(), wanted = a.state();
    ASSERT_EQ(ends.size(), wanted.size());
    for (const auto& [name, value] : wanted) {
      EXPECT_EQ(ends.at(name).to_bytes(), value.to_bytes()) << name;
    }
  }
}

TEST(Optimizer, AllStepsShareOnePlan) {
  for (const OptimizerRow& row : optimizer_rows()) {
    SCOPED_TRACE(row.name);
    Parameters p;
    Optimizer optimizer(row.make());
    size_t misses = 0;
    for (uint64_t step = 0; step < 6; ++step) {
      const NamedArrays gradients = gradients_of(step);
      eval(gradients.at("fc.weight"), gradients.at("fc.bias"));
      optimizer.update(p.named(), gradients, 0.1 / static_cast<double>(step + 1));
      Arrays results = optimizer.state_arrays();
      for (const auto& [name, parameter] : p.named()) results.push_back(*parameter);
      eval(results);
      // The first step differs by its state of zeros.
      if (step == 1) misses = plan_cache_use().misses;
    }
    EXPECT_EQ(plan_cache_use().misses, misses);
  }
}

TEST(Optimizer, StateArraysAreTheLazyOnes) {
  Parameters p;
  Optimizer optimizer(Adam{});
  optimizer.update(p.named(), gradients_of(0));
  EXPECT_EQ(optimizer.state_arrays().size(), 4u);
  eval(optimizer.state_arrays());
  for (const Array& array : optimizer.state_arrays()) EXPECT_TRUE(array.is_evaluated());
}

TEST(Optimizer, RefusesWhatDoesNotFit) {
  Parameters p;
  Optimizer optimizer(Sgd{.momentum = 0.9});
  EXPECT_EQ(error_of([&] {
              optimizer.update(p.named(), {{"fc.bias", ones({4})}});
            }),
            "[optimizer] gradient of 'fc.bias' has shape (4,), want (3,)");
  EXPECT_EQ(error_of([&] {
              optimizer.update(p.named(), {{"fc.bais", ones({3})}});
            }),
            "[optimizer] no parameter for the gradient of 'fc.bais'");
  EXPECT_EQ(optimizer.steps(), 0);
  Optimizer grouped(Sgd{}, {{.pattern = "conv*"}});
  EXPECT_EQ(error_of([&] { grouped.update(p.named(), gradients_of(0)); }),
            "[optimizer] group 'conv*' matches no parameter");
  EXPECT_EQ(error_of([] { Optimizer(Sgd{.lr = -1}); }), "[Sgd] lr must be at least 0, got -1");
  EXPECT_EQ(error_of([] {
              Optimizer(Adam{.betas = {0.9, 2}});
            }),
            "[Adam] betas must lie in [0, 1], got [0.9, 2]");
  EXPECT_EQ(error_of([] { Optimizer(Sgd{.nesterov = true}); }),
            "[Sgd] nesterov needs momentum above 0 and dampening 0, got 0 and 0");
  EXPECT_EQ(error_of([&] { optimizer.load_state({}); }),
            "[load_state] 'steps' of the optimizer is missing");
  optimizer.update(p.named(), gradients_of(0));
  NamedArrays state = optimizer.state();
  state.erase("fc.bias.momentum");
  EXPECT_EQ(error_of([&] { optimizer.load_state(state); }),
            "[load_state] 'fc.bias.momentum' is missing");
  state = optimizer.state();
  EXPECT_EQ(error_of([&] { Optimizer(Adam{}).load_state(state); }),
            "[load_state] 'fc.bias.mean' is missing");
}

// begin_update and finish_update in a compiled function, against update.
TEST(Optimizer, CompiledUpdatesGiveTheSameBits) {
  for (const OptimizerRow& row : optimizer_rows()) {
    const std::vector<Group> groups = {{.pattern = "*.bias", .lr_factor = 2}};
    Parameters plain, compiled;
    Optimizer by_graph(row.make(), groups), by_replay(row.make(), groups);
    const auto replay = compile(
        [&](const Arrays& in) {
          by_replay.finish_update(compiled.named(), {{"fc.weight", in[0]}, {"fc.bias", in[1]}},
                                  Arrays(in.begin() + 2, in.end()));
          return Arrays{};
        },
        {.state = [&] {
          std::vector<Array*> arrays = by_replay.state_pointers();
          arrays.push_back(&compiled.weight);
          arrays.push_back(&compiled.bias);
          return arrays;
        }});
    for (uint64_t step = 0; step < 4; ++step) {
      const double lr = 0.1 / static_cast<double>(1 + step);
      const NamedArrays g = gradients_of(step);
      by_graph.update(plain.named(), g, lr);
      Arrays arguments = {g.at("fc.weight"), g.at("fc.bias")};
      for (const Array& scalar : by_replay.begin_update(compiled.named(), lr)) {
        arguments.push_back(scalar);
      }
      replay(std::move(arguments));
      EXPECT_EQ(plain.weight.to_bytes(), compiled.weight.to_bytes()) << row.name << step;
      EXPECT_EQ(plain.bias.to_bytes(), compiled.bias.to_bytes()) << row.name << step;
    }
    EXPECT_EQ(by_graph.steps(), by_replay.steps());
  }
}

}  // namespace
}  // namespace mica::optim
