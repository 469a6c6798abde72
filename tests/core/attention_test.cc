#include "core/ops/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

Array composed(const Array& q, const Array& k, const Array& v, double scale, bool causal) {
  Array scores = matmul(q * scale, moveaxis(k, -1, -2));
  if (causal) {
    const Array seen = expand_dims(arange(q.dim(-2), int32), {1}) >= arange(k.dim(-2), int32);
    scores = where(seen, scores, -std::numeric_limits<float>::infinity());
  }
  return matmul(softmax(scores), v);
}

struct Case {
  Shape heads;
  int64_t queries, keys, depth, width;
};

// One tile and several, in both directions, with few heads and with many.
const Case kCases[] = {{{}, 1, 1, 1, 1},           {{2}, 7, 5, 3, 4},
                       {{2, 3}, 130, 130, 16, 16}, {{}, 300, 520, 40, 24},
                       {{4, 5}, 140, 270, 8, 12},  {{1, 2}, 257, 100, 32, 33}};

Arrays inputs_of(const Case& c, Dtype dtype) {
  const auto make = [&](int64_t rows, int64_t columns, uint32_t seed) {
    Shape shape = c.heads;
    shape.push_back(rows);
    shape.push_back(columns);
    return normal_array(shape, seed, dtype);
  };
  return {make(c.queries, c.depth, 1), make(c.keys, c.depth, 2), make(c.keys, c.width, 3),
          make(c.queries, c.width, 4)};
}

// Values and the gradients by q, k and v for the cotangent in[3].
Arrays value_and_gradients(const std::function<Array(const Arrays&)>& f, const Arrays& in) {
  auto [values, gradients] =
      vjp([&](const Arrays& x) { return Arrays{f(x)}; }, {in[0], in[1], in[2]}, {in[3]});
  gradients.insert(gradients.begin(), values[0]);
  return gradients;
}

TEST(Attention, EqualsItsComposition) {
  for (const Case& c : kCases) {
    for (const bool causal : {false, true}) {
      for (const Dtype dtype : {float32, float64, float16, bfloat16}) {
        SCOPED_TRACE(fmt::format("{} queries {} keys {} causal {} {}", to_string(c.heads),
                                 c.queries, c.keys, causal, dtype));
        const Arrays in = inputs_of(c, dtype);
        Arrays wide;
        for (const Array& x : in) wide.push_back(astype(x, float64));
        const double scale = 1 / std::sqrt(static_cast<double>(c.depth));
        const Arrays wanted = value_and_gradients(
            [&](const Arrays& x) { return composed(x[0], x[1], x[2], scale, causal); }, wide);
        const auto fast = [&](const Arrays& x) {
          return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = causal});
        };
        const Arrays got = value_and_gradients(fast, in);
        // Sums of up to 520 rounded terms of about 1.
        const double unit = dtype == float64   ? 0x1p-53
                            : dtype == float32 ? 0x1p-24
                            : dtype == float16 ? 0x1p-11
                                               : 0x1p-8;
        for (size_t i = 0; i < got.size(); ++i) {
          SCOPED_TRACE(i);
          EXPECT_EQ(got[i].dtype(), dtype);
          expect_same(got[i], wanted[i], 100 * unit);
        }
      }
    }
  }
}

TEST(Attention, BroadcastsHeadsAndTakesViews) {
  const Array q = normal_array({2, 9, 3, 4}, 1), k = normal_array({7, 1, 4}, 2);
  const Array v = normal_array({7, 3, 5}, 3);
  const auto heads_first = [](const Array& x) { return moveaxis(x, -2, -3); };
  const Array got =
      scaled_dot_product_attention(heads_first(q), heads_first(k), heads_first(v), {.scale = 2});
  const Array wanted = composed(heads_first(q), broadcast_to(heads_first(k), {2, 3, 7, 4}),
                                broadcast_to(heads_first(v), {2, 3, 7, 5}), 2, false);
  expect_same(got, wanted, 1e-12);
}

TEST(Attention, MasksSelectOrAdd) {
  const Array q = normal_array({3, 4}, 1), k = normal_array({5, 4}, 2), v = normal_array({5, 2}, 3);
  const Array seen = array({true, true, false, true, false});
  const Array got = scaled_dot_product_attention(q, k, v, {}, seen);
  const Array fewer = array({0, 1, 3});
  const auto pick = [](const Array& x) {
    return concatenate({slice_axis(x, 0, 0, 2, 1), slice_axis(x, 0, 3, 4, 1)}, 0);
  };
  expect_same(got, scaled_dot_product_attention(q, pick(k), pick(v)), 1e-12);
  const Array added = where(seen, 0.0f, -std::numeric_limits<float>::infinity());
  expect_same(scaled_dot_product_attention(q, k, v, {}, added), got, 1e-12);
  const Array all = full({3, 5}, Array(true), bool_);
  expect_same(scaled_dot_product_attention(q, k, v, {.causal = true}, all),
              scaled_dot_product_attention(q, k, v, {.causal = true}), 1e-12);
}

TEST(Attention, LargeScoresStayFinite) {
  const Array q = normal_array({300, 8}, 1, float32) * 100;
  const Array got = scaled_dot_product_attention(q, q, q, {.scale = 1});
  expect_same(got, composed(q, q, q, 1, false), 1e-3);
}

TEST(Attention, SameBitsWithAnyNumberOfThreads) {
  for (const Case& c : {Case{{2}, 300, 300, 16, 16}, Case{{4, 8}, 130, 300, 16, 16}}) {
    const Arrays in = inputs_of(c, float32);
    const auto bytes = [&] {
      std::vector<std::vector<std::byte>> all;
      const auto f = [](const Arrays& x) { return scaled_dot_product_attention(x[0], x[1], x[2]); };
      for (const Array& x : value_and_gradients(f, in)) all.push_back(x.to_bytes());
      return all;
    };
    set_threads(1);
    const auto one = bytes();
    set_threads(2);
    EXPECT_EQ(one, bytes());
    set_threads(0);
  }
}

TEST(Attention, NoKeysGiveZeros) {
  expect_values(scaled_dot_product_attention(ones({2, 3}), zeros({0, 3}), zeros({0, 2})),
                {0, 0, 0, 0});
}

TEST(Attention, ErrorsNameTheShapes) {
  EXPECT_EQ(error_text([] {
              scaled_dot_product_attention(ones({2, 3}), ones({4, 2}), ones({4, 2}));
            }),
            "[scaled_dot_product_attention] got q (2, 3), k (4, 2), v (4, 2), want (..., L, D), "
            "(..., S, D), (..., S, E)");
}

}  // namespace
}  // namespace mica
