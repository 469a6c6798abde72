// Figures of classification.
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "trainers/judge/judge.h"
#include "trainers/judge/roc.h"

namespace mica::trainers {
namespace {

constexpr int64_t kBins = 15;  // Guo et al. 2017

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

// What a resample of the rows gives: the figures of which no formula has the interval.
class ClassMeasure {
 public:
  enum { kLoss, kPrecision, kRecall, kF1, kWeightedPrecision, kWeightedF1, kEce, kBrier, kShared };

  explicit ClassMeasure(const Outputs& outputs) : outputs_(outputs) {
    for (int64_t row = 0; row < outputs.n; ++row) {
      const double confidence = outputs.confidence(row);
      const auto bin = static_cast<int64_t>(std::ceil(confidence * kBins)) - 1;
      bins_.push_back(static_cast<size_t>(std::clamp<int64_t>(bin, 0, kBins - 1)));
      confidence_.push_back(confidence);
      double squares = 0;
      for (int64_t k = 0; k < outputs.width; ++k) {
        const double wanted = k == outputs.labels[static_cast<size_t>(row)];
        squares += std::pow(outputs.probability(row, k) - wanted, 2);
      }
      squares_.push_back(squares);
    }
  }

  int64_t figures() const { return kShared + outputs_.width; }

  // The shared figures, then the F1 of each class.
  void operator()(Counts counts, std::span<double> out) const {
    const auto classes = static_cast<size_t>(outputs_.width);
    std::vector<double> right(classes), support(classes), predicted(classes);
    std::vector<double> gap(kBins);
    double n = 0, loss = 0, weight = 0, squares = 0;
    for (size_t row = 0; row < counts.size(); ++row) {
      if (counts[row] == 0) continue;
      const double count = counts[row];
      const auto label = static_cast<size_t>(outputs_.labels[row]);
      const auto taken = static_cast<size_t>(outputs_.predicted[row]);
      n += count;
      loss += count * outputs_.losses[row];
      weight += count * outputs_.weights[row];
      squares += count * squares_[row];
      support[label] += count;
      predicted[taken] += count;
      if (label == taken) right[label] += count;
      gap[bins_[row]] += count * ((label == taken) - confidence_[row]);
    }
    std::fill(out.begin(), out.end(), 0);
    double present = 0;
    for (size_t c = 0; c < classes; ++c) {
      const double precision = ratio(right[c], predicted[c]), recall = ratio(right[c], support[c]);
      const double f1 = ratio(2 * right[c], predicted[c] + support[c]);
      out[kShared + c] = predicted[c] + support[c] > 0 ? f1 : kUnknown;
      if (support[c] == 0) continue;
      ++present;
      out[kPrecision] += precision;
      out[kRecall] += recall;
      out[kF1] += f1;
      out[kWeightedPrecision] += support[c] / n * precision;
      out[kWeightedF1] += support[c] / n * f1;
    }
    for (const int figure : {kPrecision, kRecall, kF1}) out[static_cast<size_t>(figure)] /= present;
    out[kLoss] = weight > 0 ? loss / weight : kUnknown;
    out[kBrier] = squares / n;
    for (const double sum : gap) out[kEce] += std::abs(sum) / n;
  }

  const std::vector<size_t>& bins() const { return bins_; }

 private:
  const Outputs& outputs_;
  std::vector<size_t> bins_;
  std::vector<double> confidence_, squares_;
};

std::vector<CalibrationBin> calibration_of(const Outputs& outputs,
                                           const std::vector<size_t>& bin_of) {
  std::vector<CalibrationBin> bins(kBins);
  std::vector<int64_t> right(kBins);
  for (size_t row = 0; row < bin_of.size(); ++row) {
    CalibrationBin& bin = bins[bin_of[row]];
    ++bin.count;
    bin.confidence += outputs.confidence(static_cast<int64_t>(row));
    right[bin_of[row]] += outputs.is_right(static_cast<int64_t>(row));
  }
  for (size_t b = 0; b < bins.size(); ++b) {
    CalibrationBin& bin = bins[b];
    bin.low = static_cast<double>(b) / kBins;
    bin.high = static_cast<double>(b + 1) / kBins;
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy = ratio(static_cast<double>(right[b]), static_cast<double>(bin.count));
    bin.interval = wilson(right[b], bin.count);
  }
  return bins;
}

// Resampled rows are calibrated worse than the rows they come from, the more so the fewer they are:
// the distance from the figure counts, turned round (the "basic" bootstrap).
Interval turned_round(double value, const Interval& interval) {
  return {std::max(2 * value - interval.high, 0.0), std::max(2 * value - interval.low, 0.0)};
}

void add_shares(Judgement& judgement) {
  const ClassificationMetrics& counts = *judgement.counts;
  const auto add = [&](const std::string& name, double share) {
    const auto hits = static_cast<int64_t>(std::llround(share * static_cast<double>(judgement.n)));
    judgement.figures.push_back({name, share, wilson(hits, judgement.n), "wilson"});
  };
  add("accuracy", counts.accuracy());
  if (counts.classes() > 3) add("top3", counts.top(3));
  if (counts.classes() > 5) add("top5", counts.top(5));
}

// Fills the areas of the classes in; their mean over the classes that have one.
Figure add_areas(const Outputs& outputs, std::vector<ClassReport>& reports) {
  const auto n = static_cast<size_t>(outputs.n), classes = reports.size();
  const auto occurs = [](const ClassReport& report) { return report.score.support > 0; };
  const auto present = std::count_if(reports.begin(), reports.end(), occurs);
  const double share = present > 0 ? 1.0 / static_cast<double>(present) : 0;
  std::vector<double> influence(n);
  std::vector<float> scores(n);
  std::vector<uint8_t> positive(n);
  double sum = 0;
  bool known = present > 1;
  for (size_t c = 0; c < classes && known; ++c) {
    if (!occurs(reports[c])) continue;
    for (size_t row = 0; row < n; ++row) {
      scores[row] = outputs.values[row * classes + c];
      positive[row] = outputs.labels[row] == static_cast<int64_t>(c);
    }
    const RocArea area = roc_area(scores, positive, influence, share);
    reports[c].auc = area.value;
    reports[c].auc_interval = area.interval;
    sum += share * area.value;
  }
  if (!known) return {"roc_auc", kUnknown};
  return {"roc_auc", sum, influence_interval(sum, influence), "influence"};
}

std::vector<ClassReport> class_reports(const Outputs& outputs, const ClassificationMetrics& counts,
                                       std::span<const Interval> f1) {
  const std::vector<ClassScore> scores = counts.per_class();
  std::vector<ClassReport> reports;
  for (int64_t c = 0; c < outputs.width; ++c) {
    const auto at = static_cast<size_t>(c);
    ClassReport report = {.name = outputs.names[at], .score = scores[at], .f1 = f1[at]};
    int64_t predicted = 0;
    for (int64_t truth = 0; truth < outputs.width; ++truth) predicted += counts.confusion(truth, c);
    if (predicted > 0) report.precision = wilson(counts.confusion(c, c), predicted);
    if (scores[at].support > 0) report.recall = wilson(counts.confusion(c, c), scores[at].support);
    reports.push_back(std::move(report));
  }
  return reports;
}

ClassScore weighted_mean(const std::vector<ClassReport>& reports, int64_t n) {
  ClassScore mean;
  for (const ClassReport& report : reports) {
    const double share = static_cast<double>(report.score.support) / static_cast<double>(n);
    mean.precision += share * report.score.precision;
    mean.recall += share * report.score.recall;
    mean.f1 += share * report.score.f1;
  }
  mean.support = n;
  return mean;
}

}  // namespace

Judgement judge_classes(const Outputs& outputs) {
  Judgement judgement = {.split = outputs.split, .n = outputs.n};
  judgement.counts.emplace(outputs.width);
  judgement.counts->add(outputs.scores, outputs.labels);
  const ClassMeasure measure(outputs);
  Estimates found = estimate(outputs.n, measure.figures(), outputs.n, std::cref(measure));
  Interval& ece = found.intervals[ClassMeasure::kEce];
  ece = turned_round(found.values[ClassMeasure::kEce], ece);

  add_shares(judgement);
  const auto add = [&](const char* name, size_t at) {
    judgement.figures.push_back(figure_of(found, name, at));
  };
  add("loss", ClassMeasure::kLoss);
  add("macro_precision", ClassMeasure::kPrecision);
  add("macro_recall", ClassMeasure::kRecall);
  add("macro_f1", ClassMeasure::kF1);
  add("weighted_precision", ClassMeasure::kWeightedPrecision);
  add("weighted_f1", ClassMeasure::kWeightedF1);
  judgement.per_class = class_reports(outputs, *judgement.counts,
                                      std::span(found.intervals).subspan(ClassMeasure::kShared));
  judgement.figures.push_back(add_areas(outputs, judgement.per_class));
  add("ece", ClassMeasure::kEce);
  add("brier", ClassMeasure::kBrier);
  judgement.macro = judgement.counts->macro();
  judgement.weighted = weighted_mean(judgement.per_class, outputs.n);
  judgement.calibration = calibration_of(outputs, measure.bins());
  return judgement;
}

}  // namespace mica::trainers
