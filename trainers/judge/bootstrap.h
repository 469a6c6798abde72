// How far figures may be off because a split is only a sample: intervals that hold the figure of
// the whole population 19 times in 20.
//
//   Interval accuracy = wilson(958, 1000);                       // 0.9438 ... 0.9688
//   std::vector<Interval> others = bootstrap(n, 2, work, [&](Counts counts, std::span<double> f) {
//     f[0] = mean_of(counts); f[1] = spread_of(counts);          // row i came counts[i] times
//   });
//
// Resampling is seeded and does not depend on threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace mica::trainers {

struct Interval {
  double low = 0;
  double high = 0;
};

/// Of the share hits / count (Wilson 1927). REQUIRES: count > 0.
Interval wilson(int64_t hits, int64_t count);

/// How often each row came.
using Counts = std::span<const uint32_t>;

/// Resamples that bootstrap() draws for `work` numbers each: 1,000, fewer beyond 200,000 numbers.
int64_t resamples_for(int64_t work);

/// Percentile bootstrap (Efron 1979): draws n rows with replacement, resamples_for(work) times, and
/// gives the range from the 2.5th to the 97.5th percentile of each of `figures` numbers. Those that
/// are NaN in a resample do not count there; one that always is has NaN bounds. `measure` is called
/// from several threads.
std::vector<Interval> bootstrap(int64_t n, int64_t figures, int64_t work,
                                const std::function<void(Counts, std::span<double>)>& measure);

/// The figures of the n rows themselves, each counted once, with their intervals.
struct Estimates {
  std::vector<double> values;
  std::vector<Interval> intervals;
};
Estimates estimate(int64_t n, int64_t figures, int64_t work,
                   const std::function<void(Counts, std::span<double>)>& measure);

}  // namespace mica::trainers
