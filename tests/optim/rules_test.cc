// Every case of torch_optimizers.txt: 20 steps of each optimizer; clipping.
#include <gtest/gtest.h>

#include <set>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "optim/clip.h"
#include "optim/registry.h"
#include "tests/fixtures/fixtures.h"

namespace mica::optim {
namespace {

using fixtures::Case;
using fixtures::near;

void check_case(const Case& c) {
  SCOPED_TRACE(c.line);
  const OptimizerRow* row = find_row(optimizer_rows(), c.name);
  ASSERT_NE(row, nullptr);
  std::unique_ptr<Rule> rule = row->make();
  fixtures::fill(rule->settings(), c.settings);
  Optimizer optimizer(std::move(rule));
  Array p = c.array("start");
  const Array& gradients = c.array("gradients");
  for (int64_t step = 0; step < gradients.dim(0); ++step) {
    const auto row_of = [&](const Array& x) {
      return squeeze(slice_axis(x, 0, step, step + 1), {0});
    };
    optimizer.update({{"p", &p}}, {{"p", row_of(gradients)}});
    EXPECT_TRUE(near(p, row_of(c.array("after")), 2e-6)) << "step " << step;
  }
  EXPECT_EQ(optimizer.steps(), gradients.dim(0));
}

TEST(Rules, EqualPyTorch) {
  std::set<std::string> seen;
  for (const Case& c : fixtures::read_cases("torch_optimizers.txt")) {
    if (c.kind != "optimizer") continue;
    check_case(c);
    seen.insert(c.name);
  }
  for (const OptimizerRow& row : optimizer_rows()) {
    EXPECT_TRUE(seen.contains(std::string(row.name))) << "no fixture for " << row.name;
  }
}

TEST(Clip, GlobalNormEqualsPyTorch) {
  bool found = false;
  for (const Case& c : fixtures::read_cases("torch_optimizers.txt")) {
    if (c.kind != "clip") continue;
    found = true;
    const auto [clipped, norm] =
        clip_by_global_norm({{"a", c.array("a")}, {"b", c.array("b")}}, 0.7);
    EXPECT_TRUE(near(norm, c.array("norm"), 1e-6));
    EXPECT_TRUE(near(clipped.at("a"), c.array("clipped_a"), 1e-6));
    EXPECT_TRUE(near(clipped.at("b"), c.array("clipped_b"), 1e-6));
  }
  EXPECT_TRUE(found);
  const Array small = array({0.1f, -0.2f});
  EXPECT_TRUE(near(clip_by_global_norm({{"a", small}}, 1).first.at("a"), small, 0));
  EXPECT_THROW(clip_by_global_norm({{"a", small}}, 0), Error);
}

TEST(Clip, ByValue) {
  const NamedArrays clipped = clip_by_value({{"a", array({-3.0f, 0.5f, 2.0f})}}, 1);
  EXPECT_TRUE(near(clipped.at("a"), array({-1.0f, 0.5f, 1.0f}), 0));
  EXPECT_THROW(clip_by_value({}, -1), Error);
}

}  // namespace
}  // namespace mica::optim
