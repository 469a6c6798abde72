// Statistical tests at fixed seeds. A threshold is passed by a right generator but for one seed in
// a million: 4.9 standard errors for means; for the distance of Kolmogorov and Smirnov times
// sqrt(n), whose tail is 2 exp(-2 d^2), d = 2.7; for sums of squares the quantile of chi^2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <numeric>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;

constexpr double kDeviations = 4.9;
constexpr double kDistance = 2.7;
constexpr int64_t kCount = 100'000;

using Density = std::function<double(double)>;

double ks_distance(std::vector<double> sample, const Density& cdf) {
  std::sort(sample.begin(), sample.end());
  const auto n = static_cast<double>(sample.size());
  double worst = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    const double p = cdf(sample[i]);
    worst = std::max({worst, p - static_cast<double>(i) / n, (static_cast<double>(i) + 1) / n - p});
  }
  return worst * std::sqrt(n);
}

// The quantile of chi^2 at 1 - 1e-6 (Wilson and Hilferty, 1931).
double chi_square_limit(double freedom) {
  const double part = 2 / (9 * freedom);
  return freedom * std::pow(1 - part + 4.753 * std::sqrt(part), 3);
}

struct Moments {
  double mean;
  double variance;
  double kurtosis;  // the fourth central moment by the variance squared
};

void expect_moments(const std::vector<double>& x, const Moments& wanted) {
  const auto n = static_cast<double>(x.size());
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double square = 0;
  for (double v : x) square += (v - wanted.mean) * (v - wanted.mean);
  EXPECT_NEAR(mean, wanted.mean, kDeviations * std::sqrt(wanted.variance / n));
  const double error = wanted.variance * std::sqrt((wanted.kurtosis - 1) / n);
  EXPECT_NEAR(square / n, wanted.variance, kDeviations * error);
}

// Regularised lower incomplete gamma function, by its power series.
double gamma_cdf(double a, double x) {
  if (x <= 0) return 0;
  double term = 1 / a, total = term;
  for (double k = 1; term > 1e-17 * total; ++k) total += term *= x / (a + k);
  return total * std::exp(a * std::log(x) - x - std::lgamma(a));
}

TEST(Random, LocationScaleFamiliesHaveTheirDistributions) {
  using Draw = std::function<Array(const Array& key, Dtype dtype)>;
  struct Family {
    const char* name;
    Draw draw;
    Density cdf;  // of (x - 2) / 3
    std::optional<Moments> moments;
  };
  const double pi = std::numbers::pi, euler = std::numbers::egamma;
  const Shape shape = {kCount};
  const std::vector<Family> families = {
      {"normal", [&](const Array& k, Dtype d) { return random::normal(shape, k, 2, 3, d); },
       [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }, Moments{0, 1, 3}},
      {"laplace", [&](const Array& k, Dtype d) { return random::laplace(shape, k, 2, 3, d); },
       [](double x) { return x < 0 ? 0.5 * std::exp(x) : 1 - 0.5 * std::exp(-x); },
       Moments{0, 2, 6}},
      {"gumbel", [&](const Array& k, Dtype d) { return random::gumbel(shape, k, 2, 3, d); },
       [](double x) { return std::exp(-std::exp(-x)); }, Moments{euler, pi * pi / 6, 5.4}},
      {"logistic", [&](const Array& k, Dtype d) { return random::logistic(shape, k, 2, 3, d); },
       [](double x) { return 1 / (1 + std::exp(-x)); }, Moments{0, pi * pi / 3, 4.2}},
      {"cauchy", [&](const Array& k, Dtype d) { return random::cauchy(shape, k, 2, 3, d); },
       [=](double x) { return 0.5 + std::atan(x) / pi; }, std::nullopt},
      {"exponential",
       [&](const Array& k, Dtype d) { return 2 + random::exponential(shape, k, 3, d); },
       [](double x) { return 1 - std::exp(-x); }, Moments{1, 1, 9}}};
  for (const Family& family : families) {
    for (const Dtype dtype : {float32, float64}) {
      SCOPED_TRACE(fmt::format("{} {}", family.name, dtype));
      const Array drawn = family.draw(random::key(21), dtype);
      EXPECT_EQ(drawn.dtype(), dtype);
      std::vector<double> x = drawn.to_vector<double>();
      for (double& v : x) v = (v - 2) / 3;
      EXPECT_LT(ks_distance(x, family.cdf), kDistance);
      if (family.moments) expect_moments(x, *family.moments);
    }
    const Array half = family.draw(random::key(1), float16);
    EXPECT_EQ(half.dtype(), float16) << family.name;
  }
}

TEST(Random, MultivariateNormalHasItsCovariance) {
  const Array centre = array<double>({1.0, -2.0, 0.5});
  const Array covariance = array<double>({{2.0, 0.6, -0.4}, {0.6, 1.0, 0.3}, {-0.4, 0.3, 0.5}});
  const Array x =
      random::multivariate_normal(centre, covariance, {kCount}, random::key(32), float64);
  EXPECT_EQ(x.shape(), Shape({kCount, 3}));
  const Array off = x - centre;
  const std::vector<double> got =
      (matmul(transpose(off), off) / double(kCount)).to_vector<double>();
  const std::vector<double> s = covariance.to_vector<double>();
  const std::vector<double> means = mean(off, {0}).to_vector<double>();
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(means[i], 0, kDeviations * std::sqrt(s[4 * i] / kCount));
    for (size_t j = 0; j < 3; ++j) {
      // The variance of a product of two normal numbers with these moments (Isserlis).
      const double variance = s[4 * i] * s[4 * j] + s[3 * i + j] * s[3 * i + j];
      EXPECT_NEAR(got[3 * i + j], s[3 * i + j], kDeviations * std::sqrt(variance / kCount));
    }
  }
  const Array key = random::key(33);
  testing::check_derivatives(
      [&](const Arrays& in) {
        const Array a = matmul(in[1], transpose(in[1])) + eye(3, 3, float64);
        return random::multivariate_normal(in[0], a, {2}, key, float64);
      },
      {centre, testing::normal_array({3, 3}, 1)});
  EXPECT_EQ(error_text([&] { random::multivariate_normal(centre, eye(2), {3}); }),
            "[random.multivariate_normal] mean (3,) and covariance (2, 2); wanted (..., n) and "
            "(..., n, n)");
  EXPECT_EQ(random::multivariate_normal(zeros({2, 3}), eye(3), {4, 2}).shape(), Shape({4, 2, 3}));
}

TEST(Random, GammaHasItsDistribution) {
  for (const double alpha : {0.1, 0.7, 1.0, 2.5, 40.0}) {
    for (const Dtype dtype : {float32, float64}) {
      SCOPED_TRACE(fmt::format("{} {}", alpha, dtype));
      const std::vector<double> x =
          random::gamma(alpha, {kCount}, random::key(22), 1.0f, dtype).to_vector<double>();
      EXPECT_LT(ks_distance(x, [&](double v) { return gamma_cdf(alpha, v); }), kDistance);
      expect_moments(x, {alpha, alpha, 3 + 6 / alpha});
    }
  }
  const Array both = random::gamma(array({2.0f, -1.0f}), {3, 2}, random::key(1), 5.0f);
  const std::vector<double> values = both.to_vector<double>();
  EXPECT_GT(values[0], 0);
  EXPECT_TRUE(std::isnan(values[1]));
}

TEST(Random, BetaHasItsDistribution) {
  struct Case {
    double a, b;
    Density cdf;
  };
  const std::vector<Case> cases = {
      {3, 1, [](double x) { return x * x * x; }},
      {1, 0.5, [](double x) { return 1 - std::sqrt(1 - x); }},
      {0.5, 0.5, [](double x) { return 2 / std::numbers::pi * std::asin(std::sqrt(x)); }},
      {2, 3, [](double x) { return x * x * (6 + x * (-8 + 3 * x)); }}};
  for (const auto& [a, b, cdf] : cases) {
    SCOPED_TRACE(fmt::format("{} {}", a, b));
    const std::vector<double> x =
        random::beta(a, b, {kCount}, random::key(23), float64).to_vector<double>();
    EXPECT_LT(ks_distance(x, cdf), kDistance);
  }
  // Both gamma numbers are 0 here: what is left is a coin with probability a / (a + b).
  const std::vector<double> x =
      random::beta(1e-6, 3e-6, {kCount}, random::key(24)).to_vector<double>();
  const double ones = static_cast<double>(std::count(x.begin(), x.end(), 1.0));
  EXPECT_EQ(ones + static_cast<double>(std::count(x.begin(), x.end(), 0.0)), double(kCount));
  EXPECT_NEAR(ones / kCount, 0.25, kDeviations * std::sqrt(0.25 * 0.75 / kCount));
}

TEST(Random, DirichletHasItsMeans) {
  const Array drawn = random::dirichlet(array({1.0f, 2.0f, 5.0f}), {kCount}, random::key(25));
  EXPECT_EQ(drawn.shape(), Shape({kCount, 3}));
  const std::vector<double> sums = sum(drawn, {1}).to_vector<double>();
  // Three roundings of numbers up to 1.
  for (double total : sums) ASSERT_NEAR(total, 1, 3 * 0x1p-24);
  const std::vector<double> means = mean(drawn, {0}).to_vector<double>();
  const double alphas[] = {1, 2, 5};
  for (int i = 0; i < 3; ++i) {
    const double p = alphas[i] / 8;
    EXPECT_NEAR(means[static_cast<size_t>(i)], p,
                kDeviations * std::sqrt(p * (1 - p) / 9 / kCount));
  }
  EXPECT_THAT(error_text([] { random::dirichlet(1.0f, {3}); }),
              ::testing::HasSubstr("alpha is a scalar"));
}

TEST(Random, PoissonHasItsDistribution) {
  for (const double rate : {0.3, 4.0, 9.99, 10.0, 25.0, 300.0}) {
    SCOPED_TRACE(rate);
    const Array drawn = random::poisson(rate, {kCount}, random::key(26));
    EXPECT_EQ(drawn.dtype(), int32);
    const std::vector<double> x = drawn.to_vector<double>();
    expect_moments(x, {rate, rate, 3 + 1 / rate});
    std::map<int, double> counts;
    for (double v : x) ++counts[static_cast<int>(v)];
    // Cells with 10 expected counts or more, the rest in one.
    double statistic = 0, cells = 0, expected_rest = kCount, rest = kCount;
    for (int k = 0; k < 1000; ++k) {
      const double expected = kCount * std::exp(k * std::log(rate) - rate - std::lgamma(k + 1.0));
      if (expected < 10) continue;
      statistic += (counts[k] - expected) * (counts[k] - expected) / expected;
      expected_rest -= expected;
      rest -= counts[k];
      ++cells;
    }
    if (expected_rest > 1) {
      statistic += (rest - expected_rest) * (rest - expected_rest) / expected_rest;
      ++cells;
    }
    EXPECT_LT(statistic, chi_square_limit(cells - 1));
  }
}

TEST(Random, PoissonAtTheEdges) {
  EXPECT_EQ(random::poisson(0.0f, {2}, random::key(1)).to_vector<int>(), (std::vector<int>{0, 0}));
  // The largest of the type, where the count does not fit.
  EXPECT_EQ(random::poisson(1e6, {1}, random::key(1), int8).item<int>(), 127);
  EXPECT_EQ(random::poisson(1e30, {1}, random::key(1)).item<int>(), INT32_MAX);
  EXPECT_EQ(random::poisson(1e6, {1}, random::key(1), uint16).item<int>(), UINT16_MAX);
  for (const double rate : {1e9, 1e12, 1e15}) {
    const double count = random::poisson(rate, {1}, random::key(3), int64).item<double>();
    EXPECT_NEAR(count, rate, kDeviations * std::sqrt(rate));
  }
  EXPECT_EQ(error_text([] { eval(random::poisson(-1.0f, {3}, random::key(1))); }),
            "[random.poisson] a rate is -1; wanted 0 or more");
}

TEST(Random, RejectionDoesNotDependOnThreads) {
  const auto run = [](int count) {
    set_threads(count);
    const Array x = random::gamma(0.5f, {7, 2001}, random::key(3));
    const Array k = random::poisson(12.0f, {7, 2001}, random::key(3));
    return std::pair(x.to_bytes(), k.to_bytes());
  };
  const auto one = run(1);
  EXPECT_EQ(one, run(2));
  set_threads(0);
}

TEST(Random, ElementsOfRejectionAreIndependent) {
  const std::vector<double> x =
      random::gamma(1.0f, {kCount}, random::key(27), 1.0f, float64).to_vector<double>();
  for (const size_t lag : {size_t{1}, size_t{2}, size_t{512}}) {
    double product = 0;
    for (size_t i = lag; i < x.size(); ++i) product += (x[i] - 1) * (x[i - lag] - 1);
    EXPECT_LT(std::abs(product), kDeviations * std::sqrt(double(kCount))) << lag;
  }
}

TEST(Random, GradientsByLocationAndScale) {
  const Array key = random::key(28);
  const Shape shape = {3, 4};
  using Draw = std::function<Array(const Array& loc, const Array& scale)>;
  const std::vector<Draw> families = {
      [&](const Array& l, const Array& s) { return random::normal(shape, key, l, s, float64); },
      [&](const Array& l, const Array& s) { return random::laplace(shape, key, l, s, float64); },
      [&](const Array& l, const Array& s) { return random::gumbel(shape, key, l, s, float64); },
      [&](const Array& l, const Array& s) { return random::logistic(shape, key, l, s, float64); },
      [&](const Array& l, const Array& s) { return random::cauchy(shape, key, l, s, float64); },
      [&](const Array& l, const Array& s) {
        return l + random::exponential(shape, key, s, float64);
      },
      [&](const Array& l, const Array& s) {
        return l + random::gamma(2.0f, shape, key, s, float64);
      }};
  const Array loc = array<double>({1, -2, 0, 3});
  const Array scale = Array::from(std::vector<double>{0.5, 1, 2}, {3, 1});
  for (const Draw& draw : families) {
    testing::check_derivatives([&](const Arrays& in) { return draw(in[0], in[1]); }, {loc, scale});
    // Mapping over the locations is a loop with one key.
    const Array locs = stack({loc, loc + 1, 2 * loc});
    const auto by_loc = [&](const Array& l) { return draw(l, scale); };
    const Array wanted = stack({by_loc(loc), by_loc(loc + 1), by_loc(2 * loc)});
    testing::expect_same(vmap(by_loc)(locs), wanted, 1e-12);
  }
}

TEST(Random, MapsOverParametersOfRejection) {
  const Array key = random::key(29);
  const auto by_alpha = [&](const Array& a) { return random::gamma(a, {5}, key); };
  testing::expect_same(vmap(by_alpha)(array({0.5f, 4.0f})), stack({by_alpha(0.5f), by_alpha(4.0f)}),
                       0);
  const auto by_rate = [&](const Array& r) { return random::poisson(r, {5}, key); };
  testing::expect_same(vmap(by_rate)(array({0.5f, 40.0f})), stack({by_rate(0.5f), by_rate(40.0f)}),
                       0);
  EXPECT_THAT(
      error_text([&] {
        grad([&](const Array& a) { return sum(random::gamma(a, {3}, key)); })(array({2.0f}));
      }),
      ::testing::HasSubstr("no gradient by its shape parameter"));
}

TEST(Random, ShuffleMovesEveryLineOnItsOwn) {
  const Array x = broadcast_to(arange(6), {400, 6});
  const std::vector<int> moved = random::shuffle(x, 1, random::key(30)).to_vector<int>();
  std::map<std::vector<int>, int> orders;
  double first_zero = 0;
  for (size_t row = 0; row < 400; ++row) {
    std::vector<int> line(moved.begin() + 6 * row, moved.begin() + 6 * row + 6);
    ++orders[line];
    first_zero += line[0] == 0 ? 1 : 0;
    EXPECT_THAT(line, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  }
  EXPECT_GT(orders.size(), 250u);  // of 720, 307 in the mean
  EXPECT_NEAR(first_zero / 400, 1.0 / 6, kDeviations * std::sqrt(5.0 / 36 / 400));
  EXPECT_EQ(random::shuffle(zeros({0, 3}), 0, random::key(1)).shape(), Shape({0, 3}));
}

TEST(Random, CategoricalWithReplacement) {
  const Array logits = log(array({{0.1f, 0.9f}, {0.7f, 0.3f}}));
  const Array drawn = random::categorical(logits, 1, kCount, random::key(31));
  EXPECT_EQ(drawn.shape(), Shape({2, kCount}));
  const std::vector<double> ones = mean(astype(drawn, float64), {1}).to_vector<double>();
  EXPECT_NEAR(ones[0], 0.9, kDeviations * std::sqrt(0.09 / kCount));
  EXPECT_NEAR(ones[1], 0.3, kDeviations * std::sqrt(0.21 / kCount));
  // By columns.
  EXPECT_EQ(random::categorical(transpose(logits), 0, 5, random::key(1)).shape(), Shape({2, 5}));
}

TEST(Random, DistributionsNameWhatDoesNotFit) {
  EXPECT_EQ(error_text([] {
              random::laplace({3}, random::key(1), array({1.0f, 2.0f}));
            }),
            "[random.laplace] loc of shape (2,) does not broadcast to (3,)");
  EXPECT_EQ(error_text([] {
              random::gamma(array({1.0f, 2.0f}), {3});
            }),
            "[random.gamma] alpha of shape (2,) does not broadcast to (3,)");
  EXPECT_EQ(error_text([] { random::gumbel({3}, {}, 0, 1, int32); }),
            "[random.gumbel] needs a floating type, got int32");
  EXPECT_EQ(error_text([] { random::poisson(1.0f, {3}, {}, float32); }),
            "[random.poisson] needs an integer type, got float32");
  for (const Shape& shape : {Shape({0}), Shape({2, 0}), Shape()}) {
    EXPECT_EQ(random::gamma(1.0f, shape, random::key(1)).to_bytes().size(),
              4 * static_cast<size_t>(size_of(shape)));
    EXPECT_EQ(random::laplace(shape, random::key(1)).to_bytes().size(),
              4 * static_cast<size_t>(size_of(shape)));
  }
}

}  // namespace
}  // namespace mica
