#include "core/eval/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

using ::testing::ElementsAre;

TEST(CompileTest, CallsTheFunctionOncePerForm) {
  int calls = 0;
  const auto f = compile([&](const Arrays& a) {
    ++calls;
    return Arrays{a[0] * a[1] + 1, sum(a[0])};
  });
  for (int i = 1; i < 4; ++i) {
    const Arrays out = f(array({1.0f, 2.0f}), static_cast<float>(i));
    EXPECT_THAT(out[0].to_vector<float>(), ElementsAre(i + 1, 2 * i + 1));
    EXPECT_EQ(out[1].item<float>(), 3);
  }
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(f(ones({3}), 2)[0].to_vector<float>(), ElementsAre(3, 3, 3));
  EXPECT_THAT(f(transpose(array({{1, 2}, {3, 4}})), 1)[0].to_vector<int>(),
              ElementsAre(2, 4, 3, 5));
  EXPECT_EQ(calls, 3);
}

TEST(CompileTest, WritesOverWhatItIsGiven) {
  const auto f = compile([](const Arrays& a) { return Arrays{a[0] - 0.5f * a[1]}; });
  Array w = ones({1000});
  const Array g = ones({1000});
  eval(w, g);
  const std::byte* bytes = w.node()->values[0].data;
  for (int i = 0; i < 3; ++i) {
    w = f(std::move(w), g)[0];
    EXPECT_EQ(w.node()->values[0].data, bytes);
  }
  EXPECT_EQ(w.to_vector<float>()[999], -0.5f);
  const Array kept = w;
  const Array next = f(w, g)[0];
  EXPECT_EQ(kept.to_vector<float>()[0], -0.5f);
  EXPECT_EQ(next.to_vector<float>()[0], -1);
}

TEST(CompileTest, ReadsAndAssignsState) {
  Array w = array({1.0f, 2.0f});
  Array untouched = array({7.0f});
  const auto step = compile(
      [&](const Arrays& a) {
        const Array loss = sum(w * a[0]);
        w = w * 2;
        return Arrays{loss};
      },
      {.state = [&] {
        return std::vector<Array*>{&w, &untouched};
      }});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(step(10.0f)[0].item<float>(), 30 << i);
  EXPECT_THAT(w.to_vector<float>(), ElementsAre(16, 32));
  w = array({5.0f, 5.0f});  // assigned from outside
  EXPECT_EQ(step(1.0f)[0].item<float>(), 10);
  EXPECT_EQ(untouched.item<float>(), 7);
}

TEST(CompileTest, ResultsMayBeArgumentsAndConstants) {
  const Array constant = array({3.0f});
  const auto f = compile([&](const Arrays& a) { return Arrays{a[0], constant, a[0] + 1, a[0]}; });
  Array x = array({1.0f, 2.0f, 3.0f, 4.0f, 5.0f});
  eval(x);
  const Arrays out = f(std::move(x));
  EXPECT_THAT(out[0].to_vector<float>(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(out[1].to_vector<float>(), ElementsAre(3));
  EXPECT_THAT(out[2].to_vector<float>(), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_TRUE(out[3].is_same(out[0]));
}

TEST(CompileTest, ComposesWithDerivatives) {
  const auto cube = compile([](const Arrays& a) { return Arrays{a[0] * a[0] * a[0]}; });
  const UnaryFunction f = [&](const Array& x) { return sum(cube(x)[0]); };
  EXPECT_EQ(grad(f)(Array(2.0f)).item<float>(), 12);
  const auto compiled = compile([&](const Arrays& a) {
    return Arrays{grad([&](const Array& x) { return sum(grad(f)(x)); })(a[0])};
  });
  EXPECT_EQ(compiled(Array(2.0f))[0].item<float>(), 12);
}

TEST(CompileTest, RefusesToReadArguments) {
  Array state = ones({2});
  const auto f = compile(
      [&](const Arrays& a) {
        state = state + a[0];
        return Arrays{Array(a[0].item<float>())};
      },
      {.state = [&] { return std::vector<Array*>{&state}; }});
  EXPECT_THROW(f(1.0f), Error);
  EXPECT_THAT(state.to_vector<float>(), ElementsAre(1, 1));
}

}  // namespace
}  // namespace mica
