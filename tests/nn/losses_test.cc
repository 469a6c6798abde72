// Every case of torch_losses.txt: value and gradient against PyTorch; and what losses refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"
#include "nn/registry.h"
#include "tests/fixtures/fixtures.h"

namespace mica::nn {
namespace {

using fixtures::Case;
using fixtures::near;

void check_case(const Case& c) {
  SCOPED_TRACE(c.line);
  const LossRow* row = find_row(loss_rows(), c.name);
  ASSERT_NE(row, nullptr);
  const std::unique_ptr<Loss> loss = row->make();
  fixtures::fill(loss->settings(), c.settings);
  const Array prediction = c.array("prediction"), target = c.array("target");
  EXPECT_TRUE(near((*loss)(prediction, target), c.array("value"), 1e-5)) << "value";
  const Array gradient =
      grad([&](const Array& p) { return sum((*loss)(p, target) * c.array("g")); })(prediction);
  EXPECT_TRUE(near(gradient, c.array("dprediction"), 1e-5)) << "gradient";
  EXPECT_EQ(loss->target_kind() == TargetKind::kLabels, is_integer(target.dtype()));
}

TEST(Losses, EqualPyTorch) {
  std::set<std::string, std::less<>> seen;
  for (const Case& c : fixtures::read_cases("torch_losses.txt")) {
    check_case(c);
    seen.insert(c.name);
  }
  for (const LossRow& row : loss_rows()) {
    EXPECT_TRUE(seen.contains(row.name)) << "no fixture for " << row.name;
  }
}

std::unique_ptr<Loss> loss_named(std::string_view name) {
  return find_row(loss_rows(), name)->make();
}

TEST(Losses, SayWhatScoresMean) {
  const Array scores = array({0.0f, std::log(3.0f)});
  const auto meaning = [&](std::string_view name) {
    return loss_named(name)->meaning(scores).to_vector<float>();
  };
  const float third = std::log(3.0f);
  EXPECT_THAT(meaning("cross_entropy"), testing::Pointwise(testing::FloatEq(), {0.25f, 0.75f}));
  EXPECT_THAT(meaning("nll"), testing::Pointwise(testing::FloatEq(), {1.0f, 3.0f}));
  EXPECT_THAT(meaning("bce_with_logits"), testing::Pointwise(testing::FloatEq(), {0.5f, 0.75f}));
  EXPECT_THAT(meaning("huber"), testing::ElementsAre(0.0f, third));
}

TEST(Losses, GiveTheLossOfEachExample) {
  const Array values = array({1.0f, 2.0f}), zeros = array({0.0f, 0.0f});
  EXPECT_THAT(loss_named("mse")->each(values, zeros).to_vector<float>(),
              testing::ElementsAre(1.0f, 4.0f));
  EXPECT_EQ((*loss_named("mse"))(values, zeros).item<float>(), 2.5f);

  const auto weighted = loss_named("cross_entropy");
  fixtures::fill(weighted->settings(), {{"weight", "1,3"}});
  const Array scores = array({{0.0f, 2.0f}, {1.0f, 0.0f}}), labels = array({1, 0});
  const std::vector<float> each = weighted->each(scores, labels).to_vector<float>();
  EXPECT_EQ(weighted->class_weights(), (std::vector<double>{1, 3}));
  EXPECT_NEAR((*weighted)(scores, labels).item<double>(), (each[0] + each[1]) / (3 + 1), 1e-6);
}

TEST(Losses, IgnoredLabelsMayMeetInfinities) {
  const float inf = std::numeric_limits<float>::infinity();
  const Array scores = array({{1.0f, 2.0f}, {-inf, 0.0f}});
  const Array labels = array({0, -100});
  EXPECT_NEAR(nll(scores, labels).item<float>(), -1, 1e-6);
  const Array g = grad([&](const Array& s) { return nll(s, labels); })(scores);
  EXPECT_TRUE(near(g, array({{-1.0f, 0.0f}, {0.0f, 0.0f}}), 1e-6));
}

TEST(Losses, ExtremeScoresStayFinite) {
  const Array scores = array({{1e4f, -1e4f}});
  EXPECT_EQ(cross_entropy(scores, array({0})).item<float>(), 0);
  EXPECT_NEAR(cross_entropy(scores, array({1})).item<float>(), 2e4, 1);
  const Array x = array({1e4f, -1e4f});
  EXPECT_NEAR(bce_with_logits(x, array({0.0f, 1.0f})).item<float>(), 1e4, 1);
  EXPECT_EQ(bce_with_logits(x, array({1.0f, 0.0f})).item<float>(), 0);
}

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Losses, RefuseWhatDoesNotFit) {
  const Array scores = zeros({4, 3});
  EXPECT_EQ(error_of([&] {
              cross_entropy(scores, zeros({4}, int32), {.weight = {1, 2}});
            }),
            "[cross_entropy] got 2 class weights, want 3");
  EXPECT_EQ(error_of([&] {
              nll(scores, zeros({4, 1}, int32));
            }),
            "[nll] got labels of shape (4, 1), want (4,) for scores of shape (4, 3)");
  EXPECT_EQ(error_of([&] { nll(scores, zeros({4})); }),
            "[nll] got labels of dtype float32, want integers");
  EXPECT_EQ(error_of([&] { mse(scores, zeros({4})); }),
            "[mse] got a target of shape (4,), want the prediction's shape (4, 3)");
  EXPECT_EQ(error_of([&] { mse(scores, scores, {.reduction = "median"}); }),
            "[mse] reduction must be one of none|mean|sum, got 'median'");
  EXPECT_EQ(error_of([&] { cross_entropy(scores, zeros({4}, int32), {.label_smoothing = 1.5}); }),
            "[cross_entropy] label_smoothing must lie in [0, 1], got 1.5");
}

}  // namespace
}  // namespace mica::nn
