#include "trainers/judge/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/runtime/parallel.h"
#include "data/sampler.h"

namespace mica::trainers {
namespace {

constexpr double kNormal975 = 1.959963984540054;  // 97.5% of a standard normal lie below
constexpr uint64_t kSeed = 0x6d696361;
constexpr int64_t kMostResamples = 1000, kLeastResamples = 100;
constexpr int64_t kNumbersToDraw = 200'000'000;

// Linear between neighbours, as numpy.percentile has it.
double percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double rest = at - static_cast<double>(below);
  // No difference of two infinities.
  if (rest == 0 || sorted[below] == sorted[above]) return sorted[below];
  return sorted[below] + rest * (sorted[above] - sorted[below]);
}

Interval middle(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (values.empty()) return {kNaN, kNaN};
  std::sort(values.begin(), values.end());
  return {percentile(values, 0.025), percentile(values, 0.975)};
}

}  // namespace

Interval wilson(int64_t hits, int64_t count) {
  const auto n = static_cast<double>(count);
  const double p = static_cast<double>(hits) / n;
  const double z2 = kNormal975 * kNormal975;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal975 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // At the ends the formula gives exactly 0 and 1 but for rounding.
  return {hits == 0 ? 0 : center - half, hits == count ? 1 : center + half};
}

int64_t resamples_for(int64_t work) {
  return std::clamp(kNumbersToDraw / std::max<int64_t>(work, 1), kLeastResamples, kMostResamples);
}

std::vector<Interval> bootstrap(int64_t n, int64_t figures, int64_t work,
                                const std::function<void(Counts, std::span<double>)>& measure) {
  const int64_t resamples = resamples_for(work);
  const auto width = static_cast<size_t>(figures);
  std::vector<double> found(static_cast<size_t>(resamples) * width);
  parallel_for(resamples, 16, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> counts(static_cast<size_t>(n));
    for (int64_t r = begin; r < end; ++r) {
      std::fill(counts.begin(), counts.end(), 0);
      const uint64_t key = data::random_key(kSeed, static_cast<uint64_t>(r));
      for (int64_t i = 0; i < n; ++i) {
        const uint64_t word = data::random_word(key, static_cast<uint64_t>(i));
        ++counts[static_cast<size_t>(data::bounded(word, static_cast<uint64_t>(n)))];
      }
      measure(counts, std::span(found).subspan(static_cast<size_t>(r) * width, width));
    }
  });
  std::vector<Interval> intervals;
  for (size_t figure = 0; figure < width; ++figure) {
    std::vector<double> values;
    for (size_t at = figure; at < found.size(); at += width) values.push_back(found[at]);
    intervals.push_back(middle(std::move(values)));
  }
  return intervals;
}

Estimates estimate(int64_t n, int64_t figures, int64_t work,
                   const std::function<void(Counts, std::span<double>)>& measure) {
  Estimates estimates{std::vector<double>(static_cast<size_t>(figures)), {}};
  measure(std::vector<uint32_t>(static_cast<size_t>(n), 1), estimates.values);
  estimates.intervals = bootstrap(n, figures, work, measure);
  return estimates;
}

}  // namespace mica::trainers
