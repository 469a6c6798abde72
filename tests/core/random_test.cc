#include "core/ops/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/random_op.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;

// Kolmogorov and Smirnov's distance between a sample and a distribution function, times sqrt(n):
// above 1.95 in one case of a thousand.
double ks_distance(std::vector<double> sample, const std::function<double(double)>& cdf) {
  std::sort(sample.begin(), sample.end());
  const double n = static_cast<double>(sample.size());
  double worst = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    const double p = cdf(sample[i]);
    worst = std::max({worst, p - static_cast<double>(i) / n, (static_cast<double>(i) + 1) / n - p});
  }
  return worst * std::sqrt(n);
}

double mean_of(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// The vectors published with Random123 (kat_vectors, threefry2x32 20).
TEST(Random, ThreefryKnownAnswers) {
  EXPECT_EQ(threefry({0, 0}, {0, 0}), (Words{0x6b200159u, 0x99ba4efeu}));
  EXPECT_EQ(threefry({~0u, ~0u}, {~0u, ~0u}), (Words{0x1cb996fcu, 0xbb002be7u}));
  EXPECT_EQ(threefry({0x13198a2eu, 0x03707344u}, {0x243f6a88u, 0x85a308d3u}),
            (Words{0xc4923a9cu, 0x483df7a0u}));
}

TEST(Random, BitsAreThreefryOfThePlace) {
  const std::vector<uint32_t> words = random::bits({3, 6667}, random::key(7)).to_vector<uint32_t>();
  for (uint32_t i = 0; i < words.size(); ++i) {
    ASSERT_EQ(words[i], threefry({0, 7}, {0, i / 2})[i % 2]) << i;
  }
}

TEST(Random, SameBitsForAnyNumberOfThreads) {
  const auto run = [](int count) {
    set_threads(count);
    return random::normal({300, 1001}, random::key(3)).to_vector<float>();
  };
  const std::vector<float> one = run(1);
  EXPECT_EQ(one, run(2));
  set_threads(0);
}

TEST(Random, KeysAreIndependent) {
  const auto words = [](const Array& key) { return key.to_vector<uint32_t>(); };
  const Array key = random::key(0x1234567890ull);
  EXPECT_EQ(words(key), (std::vector<uint32_t>{0x12, 0x34567890}));
  std::set<std::vector<uint32_t>> seen = {words(key)};
  const auto [a, b] = random::split(key);
  seen.insert(words(a));
  seen.insert(words(b));
  for (uint64_t step = 0; step < 100; ++step) seen.insert(words(random::fold_in(key, step)));
  seen.insert(words(random::fold_in(key, uint64_t(1) << 40)));
  EXPECT_EQ(seen.size(), 104u);
  // Split keys are none of the words drawn with the parent.
  EXPECT_NE(words(a), words(random::bits({2}, key)));
  const Array many = random::split(key, int64_t{5});
  EXPECT_EQ(many.shape(), Shape({5, 2}));
  EXPECT_EQ(words(slice_axis(many, 0, 1, 2)), words(b));
}

// A key that is not computed yet goes through the graph, to the same result.
TEST(Random, LazyKeysGiveTheSameAsKnownOnes) {
  const Array known = random::key(11);
  const auto lazy = [] { return random::key(10) + array<uint32_t>({uint32_t(0), uint32_t(1)}); };
  ASSERT_FALSE(lazy().is_evaluated());
  testing::expect_same(random::split(lazy()).second, random::split(known).second, 0);
  testing::expect_same(random::fold_in(lazy(), 5), random::fold_in(known, 5), 0);
  testing::expect_same(random::normal({5}, lazy()), random::normal({5}, known), 0);
}

TEST(Random, DefaultSequence) {
  random::seed(5);
  const std::vector<float> first = random::uniform({4}).to_vector<float>();
  const std::vector<float> second = random::uniform({4}).to_vector<float>();
  EXPECT_NE(first, second);
  random::seed(5);
  EXPECT_EQ(first, random::uniform({4}).to_vector<float>());
}

TEST(Random, UniformStaysInItsRange) {
  for (const Dtype dtype : {float16, bfloat16, float32, float64}) {
    const Array u = random::uniform({100'000}, random::key(1), 0.0f, 1.0f, dtype);
    EXPECT_EQ(u.dtype(), dtype);
    const std::vector<double> x = u.to_vector<double>();
    EXPECT_GE(*std::min_element(x.begin(), x.end()), 0);
    EXPECT_LT(*std::max_element(x.begin(), x.end()), 1);
    EXPECT_NEAR(mean_of(x), 0.5, 0.005);
    if (size_of(dtype) < 4) continue;
    EXPECT_LT(ks_distance(x, [](double v) { return v; }), 1.95);
  }
  // Between 1 and the next float there is nothing: everything must round to 1, never to the end.
  const float next = std::nextafter(1.0f, 2.0f);
  const Array tight = random::uniform({1000}, random::key(2), 1.0f, next);
  for (float v : tight.to_vector<float>()) EXPECT_EQ(v, 1.0f);
  const Array wide = random::uniform({3, 2}, random::key(2), array({-1.0f, 5.0f}), 6.0f);
  EXPECT_EQ(wide.shape(), Shape({3, 2}));
  EXPECT_GE(wide.to_vector<float>()[1], 5.0f);
}

TEST(Random, NormalHasItsDistribution) {
  for (const Dtype dtype : {float32, float64}) {
    const std::vector<double> x =
        random::normal({200'000}, random::key(4), dtype).to_vector<double>();
    EXPECT_NEAR(mean_of(x), 0, 0.01);
    double square_sum = 0;
    double cube_sum = 0;
    for (double v : x) {
      square_sum += v * v;
      cube_sum += v * v * v;
    }
    EXPECT_NEAR(square_sum / static_cast<double>(x.size()), 1, 0.015);
    EXPECT_NEAR(cube_sum / static_cast<double>(x.size()), 0, 0.05);
    EXPECT_LT(ks_distance(x, normal_cdf), 1.95);
    EXPECT_GT(*std::max_element(x.begin(), x.end()), 3.9);
  }
  EXPECT_EQ(random::normal({3}, random::key(4), float16).dtype(), float16);
}

TEST(Random, NeighboursDoNotCorrelate) {
  const std::vector<double> x = random::normal({100'000}, random::key(5)).to_vector<double>();
  for (const size_t lag : {size_t{1}, size_t{2}, size_t{3}, size_t{16}}) {
    double product = 0;
    for (size_t i = lag; i < x.size(); ++i) product += x[i] * x[i - lag];
    EXPECT_LT(std::abs(product / static_cast<double>(x.size())), 0.015) << lag;
  }
}

TEST(Random, TruncatedNormal) {
  const std::vector<double> x =
      random::truncated_normal({100'000}, -2.0f, 1.0f, random::key(6)).to_vector<double>();
  EXPECT_GE(*std::min_element(x.begin(), x.end()), -2);
  EXPECT_LE(*std::max_element(x.begin(), x.end()), 1);
  const double below = normal_cdf(-2);
  const double mass = normal_cdf(1) - below;
  EXPECT_LT(ks_distance(x, [&](double v) { return (normal_cdf(v) - below) / mass; }), 1.95);
  // Far in the tail, where float32 could not tell the ends apart.
  for (float v : random::truncated_normal({1000}, 5.0f, 6.0f, random::key(6)).to_vector<float>()) {
    EXPECT_TRUE(v >= 5 && v <= 6) << v;
  }
}

TEST(Random, Bernoulli) {
  const Array p = array({0.0f, 0.25f, 1.0f});
  const Array drawn = random::bernoulli(p, {50'000, 3}, random::key(7));
  EXPECT_EQ(drawn.dtype(), bool_);
  std::vector<double> counts(3);
  const std::vector<double> values = drawn.to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) counts[i % 3] += values[i];
  EXPECT_EQ(counts[0], 0);
  EXPECT_NEAR(counts[1] / 50'000, 0.25, 0.008);
  EXPECT_EQ(counts[2], 50'000);
}

TEST(Random, RandintReachesBothEndsAndNoMore) {
  for (const Dtype dtype : {int8, uint8, int32, int64, uint64}) {
    const Array drawn = random::randint(3, 9, {60'000}, random::key(8), dtype);
    EXPECT_EQ(drawn.dtype(), dtype);
    std::map<int64_t, int> counts;
    for (int64_t v : drawn.to_vector<int64_t>()) ++counts[v];
    ASSERT_EQ(counts.size(), 6u);
    EXPECT_EQ(counts.begin()->first, 3);
    EXPECT_EQ(counts.rbegin()->first, 8);
    for (const auto& [value, count] : counts) EXPECT_NEAR(count, 10'000, 400) << value;
  }
  const Array signed_range = random::randint(-128, 128, {100'000}, random::key(9), int8);
  const std::vector<int> bytes = signed_range.to_vector<int>();
  EXPECT_EQ(*std::min_element(bytes.begin(), bytes.end()), -128);
  EXPECT_EQ(*std::max_element(bytes.begin(), bytes.end()), 127);
  EXPECT_NEAR(std::accumulate(bytes.begin(), bytes.end(), 0.0) / 1e5, -0.5, 1.2);
  EXPECT_EQ(random::randint(5, 6, {3}, random::key(1)).to_vector<int>(),
            (std::vector<int>{5, 5, 5}));
  EXPECT_THAT(error_text([] { random::randint(4, 4, {3}); }),
              ::testing::HasSubstr("needs low < high, got low 4 and high 4"));
  EXPECT_THAT(error_text([] { random::randint(0, 4, {3}, {}, float32); }),
              ::testing::HasSubstr("needs an integer type, got float32"));
}

TEST(Random, PermutationHoldsEveryNumberOnce) {
  for (const int64_t n : {0, 1, 2, 1000}) {
    const std::vector<int> order = random::permutation(n, random::key(10)).to_vector<int>();
    std::vector<int> wanted(static_cast<size_t>(n));
    std::iota(wanted.begin(), wanted.end(), 0);
    EXPECT_THAT(order, ::testing::UnorderedElementsAreArray(wanted));
    if (n == 1000) {
      EXPECT_NE(order, wanted);
    }
  }
  // All six orders of three come up about equally often.
  std::map<std::vector<int>, int> counts;
  for (int i = 0; i < 1200; ++i) {
    ++counts[random::permutation(3, random::fold_in(random::key(11), i)).to_vector<int>()];
  }
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 200, 55);
  const Array x = reshape(arange(6), {2, 3});
  const std::vector<int> columns = random::permutation(x, 1, random::key(12)).to_vector<int>();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(columns[i] + 3, columns[i + 3]);
}

TEST(Random, CategoricalDrawsByItsLogits) {
  const Array logits = log(array({0.1f, 0.6f, 0.3f}));
  const Array drawn = random::categorical(broadcast_to(logits, {60'000, 3}), -1, random::key(13));
  EXPECT_EQ(drawn.dtype(), int32);
  EXPECT_EQ(drawn.shape(), Shape({60'000}));
  std::map<int, int> counts;
  for (int v : drawn.to_vector<int>()) ++counts[v];
  EXPECT_NEAR(counts[0], 6'000, 300);
  EXPECT_NEAR(counts[1], 36'000, 500);
  EXPECT_NEAR(counts[2], 18'000, 450);
  const Array sure = random::categorical(array({{-INFINITY, 0.0f}}), 1, random::key(14));
  EXPECT_EQ(sure.item<int>(), 1);
}

TEST(Random, EmptyShapes) {
  EXPECT_EQ(random::normal({0, 3}, random::key(1)).to_vector<float>().size(), 0u);
  EXPECT_EQ(random::bits({}, random::key(1)).shape(), Shape());
}

TEST(Random, RefusesWhatIsNoKey) {
  EXPECT_THAT(error_text([] {
                random::bits({3}, array({1.0f, 2.0f, 3.0f}));
              }),
              ::testing::HasSubstr("a key is a uint32 array of shape (2,), got float32 (3,)"));
  EXPECT_THAT(error_text([] { random::split(array({1, 2})); }), ::testing::HasSubstr("int32"));
}

// The op against its composition: the same elements stay, over lengths around those of vectors,
// tiles and chunks, and those that stay are within a rounding.
TEST(RandomDropout, EqualsItsComposition) {
  const Array key = random::key(7);
  for (const Dtype dtype : {float32, float64, float16, bfloat16}) {
    const double unit = dtype == float16 ? 0x1p-10 : dtype == bfloat16 ? 0x1p-7 : 0x1p-23;
    for (const int64_t n : {0, 1, 2, 33, 2047, 2050, 16384, 40001}) {
      for (const double p : {0.0, 0.3, 0.999}) {
        SCOPED_TRACE(fmt::format("{} {} {}", dtype, n, p));
        const Array x = testing::normal_array({n}, 1, dtype);
        const Array wanted = where(random::bernoulli(1 - p, x.shape(), key), x / (1 - p), 0);
        testing::expect_same(random::dropout(x, p, key), wanted, unit);
      }
    }
  }
}

TEST(RandomDropout, GradientDrawsTheSameNumbers) {
  const Array key = random::key(8);
  const Array x = testing::normal_array({3, 1000}, 1), g = testing::normal_array({3, 1000}, 2);
  const auto f = [&](const Arrays& in) { return Arrays{random::dropout(in[0], 0.4, key)}; };
  testing::expect_same(vjp(f, {x}, {g}).second[0], random::dropout(g, 0.4, key), 0);
  EXPECT_EQ(random::dropout(transpose(x), 0.4, key).to_bytes(),
            random::dropout(Array::from(transpose(x).to_vector<double>(), {1000, 3}), 0.4, key)
                .to_bytes());
  EXPECT_EQ(testing::error_text([&] { random::dropout(x, 1, key); }),
            "[random.dropout] p must lie in [0, 1), got 1");
}

TEST(KeyScope, DrawsWhatTheSeedDraws) {
  const auto draw = [] { return random::uniform({5}).to_vector<float>(); };
  random::seed(7);
  const std::vector<float> first = draw(), second = draw();
  random::seed(8);
  {
    const random::KeyScope scope(random::key(7));
    EXPECT_EQ(draw(), first);
    {
      const random::KeyScope inner(random::key(7));
      EXPECT_EQ(draw(), first);
    }
    EXPECT_EQ(draw(), second);
  }
  const std::vector<float> other = draw();
  random::seed(8);
  EXPECT_EQ(draw(), other);
  EXPECT_EQ(testing::error_text([] { random::KeyScope(zeros({3}, uint32)); }),
            "[random.KeyScope] a key is a uint32 array of shape (2,), got uint32 (3,)");
}

TEST(KeyScope, GivesCompiledFunctionsNumbersOfTheirOwn) {
  const auto draw = compile([](const Arrays& in) {
    const random::KeyScope scope(in[0]);
    return Arrays{random::uniform({5}), random::uniform({5})};
  });
  for (const uint64_t seed : {7, 8}) {
    const Arrays drawn = draw(random::key(seed));
    random::seed(seed);
    EXPECT_EQ(drawn[0].to_bytes(), random::uniform({5}).to_bytes());
    EXPECT_EQ(drawn[1].to_bytes(), random::uniform({5}).to_bytes());
  }
}

}  // namespace
}  // namespace mica
