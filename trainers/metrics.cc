#include "trainers/metrics.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace mica::trainers {
namespace {

constexpr int kTopRanks = 5;

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

ClassificationMetrics::ClassificationMetrics(int64_t classes)
    : classes_(classes),
      confusion_(static_cast<size_t>(classes * classes)),
      support_(static_cast<size_t>(classes)),
      rank_counts_(kTopRanks) {}

void ClassificationMetrics::add(std::span<const float> scores, std::span<const int64_t> labels) {
  const size_t width = static_cast<size_t>(classes_);
  MICA_ASSERT(scores.size() == labels.size() * width);
  for (size_t row = 0; row < labels.size(); ++row) {
    const int64_t label = labels[row];
    if (label < 0 || label >= classes_) {
      fail(ErrorKind::kData, "label {} is outside [0, {})", label, classes_);
    }
    ++count_;
    ++support_[static_cast<size_t>(label)];
    const std::span<const float> line = scores.subspan(row * width, width);
    if (std::any_of(line.begin(), line.end(), [](float s) { return std::isnan(s); })) continue;
    const int64_t predicted = std::max_element(line.begin(), line.end()) - line.begin();
    ++confusion_[static_cast<size_t>(label * classes_ + predicted)];
    const float own = line[static_cast<size_t>(label)];
    // Of equal scores the first counts as the higher, so that top(1) is the accuracy.
    int64_t above = 0;
    for (int64_t k = 0; k < classes_; ++k) {
      const float other = line[static_cast<size_t>(k)];
      above += other > own || (other == own && k < label);
    }
    if (above < kTopRanks) ++rank_counts_[static_cast<size_t>(above)];
  }
}

double ClassificationMetrics::accuracy() const { return top(1); }

double ClassificationMetrics::accuracy_error() const {
  const double p = accuracy();
  return count_ == 0 ? 0.0 : std::sqrt(p * (1 - p) / static_cast<double>(count_));
}

double ClassificationMetrics::top(int k) const {
  MICA_ASSERT(k >= 1 && k <= kTopRanks);
  int64_t hits = 0;
  for (int rank = 0; rank < k; ++rank) hits += rank_counts_[static_cast<size_t>(rank)];
  return share(hits, count_);
}

std::vector<ClassScore> ClassificationMetrics::per_class() const {
  std::vector<ClassScore> scores(static_cast<size_t>(classes_));
  for (int64_t c = 0; c < classes_; ++c) {
    int64_t predicted = 0;
    for (int64_t truth = 0; truth < classes_; ++truth) predicted += confusion(truth, c);
    ClassScore& score = scores[static_cast<size_t>(c)];
    score.support = support_[static_cast<size_t>(c)];
    score.precision = share(confusion(c, c), predicted);
    score.recall = share(confusion(c, c), score.support);
    score.f1 = share(2 * confusion(c, c), predicted + score.support);
  }
  return scores;
}

ClassScore ClassificationMetrics::macro() const {
  ClassScore mean;
  int64_t present = 0;
  for (const ClassScore& score : per_class()) {
    if (score.support == 0) continue;
    ++present;
    mean.precision += score.precision;
    mean.recall += score.recall;
    mean.f1 += score.f1;
    mean.support += score.support;
  }
  const double scale = present == 0 ? 0.0 : 1.0 / static_cast<double>(present);
  return {mean.precision * scale, mean.recall * scale, mean.f1 * scale, mean.support};
}

int64_t ClassificationMetrics::confusion(int64_t truth, int64_t predicted) const {
  return confusion_[static_cast<size_t>(truth * classes_ + predicted)];
}

RegressionMetrics::RegressionMetrics(int64_t outputs, bool together)
    : together_(together), outputs_(static_cast<size_t>(outputs)) {}

void RegressionMetrics::add(std::span<const float> prediction, std::span<const float> target) {
  MICA_ASSERT(prediction.size() == target.size() && target.size() % outputs_.size() == 0);
  for (size_t i = 0; i < target.size(); i += outputs_.size()) {
    ++count_;
    for (size_t k = 0; k < outputs_.size(); ++k) {
      Output& output = outputs_[k];
      const double wanted = target[i + k];
      const double error = prediction[i + k] - wanted;
      output.squared += error * error;
      output.absolute += std::abs(error);
      const double before = wanted - output.mean;
      output.mean += before / static_cast<double>(count_);
      output.spread += before * (wanted - output.mean);
    }
  }
}

double RegressionMetrics::mse() const {
  double sum = 0;
  for (const Output& output : outputs_) sum += output.squared;
  return sum / static_cast<double>(std::max<int64_t>(count_, 1)) /
         static_cast<double>(outputs_.size());
}

double RegressionMetrics::mae() const {
  double sum = 0;
  for (const Output& output : outputs_) sum += output.absolute;
  return sum / static_cast<double>(std::max<int64_t>(count_, 1)) /
         static_cast<double>(outputs_.size());
}

double RegressionMetrics::r2() const {
  double sum = 0, squared = 0, spread = 0;
  for (const Output& output : outputs_) {
    if (output.spread > 0) sum += 1 - output.squared / output.spread;
    squared += output.squared;
    spread += output.spread;
  }
  if (together_) return spread > 0 ? 1 - squared / spread : 0;
  return sum / static_cast<double>(outputs_.size());
}

}  // namespace mica::trainers
