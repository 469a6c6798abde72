// Figures of regression.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "trainers/judge/judge.h"

namespace mica::trainers {
namespace {

// The accuracy is that of yes and no; of other numbers it is not shown.
enum { kAccuracy, kRmse, kMae, kMedian, kBias, kR2, kPerTarget };
enum { kLoss, kMse, kShared };
constexpr const char* kNames[] = {"accuracy", "rmse", "mae", "median_error", "bias", "r2"};

// What a resample of the rows gives: loss, mse, the means over the targets, then those of each.
class ValueMeasure {
 public:
  explicit ValueMeasure(const Outputs& outputs) : outputs_(outputs) {
    const auto n = static_cast<size_t>(outputs.n), width = static_cast<size_t>(outputs.width);
    for (size_t k = 0; k < width; ++k) {
      Target target;
      double mean = 0;
      for (size_t row = 0; row < n; ++row) mean += outputs.targets[row * width + k];
      mean /= static_cast<double>(n);
      for (size_t row = 0; row < n; ++row) {
        const double wanted = outputs.targets[row * width + k];
        target.error.push_back(outputs.values[row * width + k] - wanted);
        target.right.push_back((outputs.values[row * width + k] > 0.5) == (wanted > 0.5));
        // From the mean, so that little is lost in the sum of squares.
        target.wanted.push_back(wanted - mean);
      }
      target.order.resize(n);
      std::iota(target.order.begin(), target.order.end(), size_t{0});
      std::stable_sort(target.order.begin(), target.order.end(), [&](size_t a, size_t b) {
        return std::abs(target.error[a]) < std::abs(target.error[b]);
      });
      targets_.push_back(std::move(target));
    }
  }

  int64_t figures() const {
    return kShared + kPerTarget * (1 + static_cast<int64_t>(targets_.size()));
  }

  void operator()(Counts counts, std::span<double> out) const {
    std::fill(out.begin(), out.end(), 0);
    double weight = 0;
    for (size_t row = 0; row < counts.size(); ++row) {
      out[kLoss] += counts[row] * outputs_.losses[row];
      weight += counts[row] * outputs_.weights[row];
    }
    out[kLoss] /= weight;
    const std::span<double> means = out.subspan(kShared, kPerTarget);
    double with_r2 = 0;
    for (size_t k = 0; k < targets_.size(); ++k) {
      const std::span<double> own = out.subspan(kShared + kPerTarget * (k + 1), kPerTarget);
      measure(targets_[k], counts, own);
      out[kMse] += own[kRmse] * own[kRmse] / static_cast<double>(targets_.size());
      for (const size_t figure : {kAccuracy, kRmse, kMae, kMedian, kBias}) {
        means[figure] += own[figure] / static_cast<double>(targets_.size());
      }
      if (std::isnan(own[kR2])) continue;
      means[kR2] += own[kR2];
      ++with_r2;
    }
    means[kR2] = with_r2 > 0 ? means[kR2] / with_r2 : kUnknown;
  }

 private:
  struct Target {
    std::vector<double> error, wanted;
    std::vector<bool> right;
    std::vector<size_t> order;  // of the rows by absolute error
  };

  static void measure(const Target& target, Counts counts, std::span<double> out) {
    double n = 0, right = 0, squares = 0, absolute = 0, sum = 0, wanted = 0, wanted_squares = 0;
    for (size_t row = 0; row < counts.size(); ++row) {
      const double count = counts[row], error = target.error[row], y = target.wanted[row];
      n += count;
      right += target.right[row] ? count : 0;
      squares += count * error * error;
      absolute += count * std::abs(error);
      sum += count * error;
      wanted += count * y;
      wanted_squares += count * y * y;
    }
    out[kAccuracy] = right / n;
    out[kRmse] = std::sqrt(squares / n);
    out[kMae] = absolute / n;
    out[kBias] = sum / n;
    out[kMedian] = median(target, counts, static_cast<uint64_t>(n));
    // Of a target that is constant there is nothing to explain.
    const double spread = wanted_squares - wanted * wanted / n;
    out[kR2] = spread > 1e-12 * wanted_squares ? 1 - squares / spread : kUnknown;
  }

  // The middle one of the absolute errors, or the mean of the middle two.
  static double median(const Target& target, Counts counts, uint64_t n) {
    uint64_t seen = 0;
    double below = kUnknown;
    for (const size_t row : target.order) {
      seen += counts[row];
      const double error = std::abs(target.error[row]);
      if (std::isnan(below) && seen > (n - 1) / 2) below = error;
      if (seen > n / 2) return (below + error) / 2;
    }
    return below;
  }

  const Outputs& outputs_;
  std::vector<Target> targets_;
};

}  // namespace

Judgement judge_values(const Outputs& outputs) {
  Judgement judgement = {.split = outputs.split, .n = outputs.n};
  const ValueMeasure measure(outputs);
  const Estimates found =
      estimate(outputs.n, measure.figures(), outputs.n * outputs.width, std::cref(measure));
  const auto figure = [&](const char* name, size_t at) { return figure_of(found, name, at); };
  judgement.figures = {figure("loss", kLoss), figure("mse", kMse)};
  const size_t first = outputs.yes_or_no ? kAccuracy : kRmse;
  if (outputs.yes_or_no) {
    judgement.figures.insert(judgement.figures.begin(),
                             figure("accuracy", kShared + size_t{kAccuracy}));
  }
  for (size_t i = kRmse; i < kPerTarget; ++i) {
    judgement.figures.push_back(figure(kNames[i], kShared + i));
  }
  for (int64_t k = 0; k < outputs.width; ++k) {
    const auto target = static_cast<size_t>(k);
    TargetReport report = {outputs.names[target], {}};
    for (size_t i = first; i < kPerTarget; ++i) {
      report.figures.push_back(figure(kNames[i], kShared + kPerTarget * (target + 1) + i));
    }
    judgement.per_target.push_back(std::move(report));
  }
  return judgement;
}

}  // namespace mica::trainers
