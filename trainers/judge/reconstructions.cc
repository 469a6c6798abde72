// Figures of reconstructed pictures.
#include <cmath>

#include "trainers/judge/judge.h"

namespace mica::trainers {
namespace {

enum { kLoss, kMse, kRmse, kMae, kR2, kFigures };
constexpr const char* kNames[] = {"loss", "mse", "rmse", "mae", "r2"};

// What a row adds to each figure; a resample is then a matter of few numbers a row.
class PictureMeasure {
 public:
  explicit PictureMeasure(const Outputs& outputs) : outputs_(outputs) {
    const auto n = static_cast<size_t>(outputs.n), width = static_cast<size_t>(outputs.width);
    std::vector<double> means(width);
    for (size_t i = 0; i < n * width; ++i) means[i % width] += outputs.targets[i];
    for (double& mean : means) mean /= static_cast<double>(n);
    rows_.resize(n);
    for (size_t i = 0; i < n * width; ++i) {
      Row& row = rows_[i / width];
      const double error = static_cast<double>(outputs.values[i]) - outputs.targets[i];
      row.squares += error * error / static_cast<double>(width);
      row.absolute += std::abs(error) / static_cast<double>(width);
      row.spread += std::pow(outputs.targets[i] - means[i % width], 2) / static_cast<double>(width);
    }
  }

  void operator()(Counts counts, std::span<double> out) const {
    double n = 0, loss = 0, weight = 0, squares = 0, absolute = 0, spread = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      const double count = counts[i];
      n += count;
      loss += count * outputs_.losses[i];
      weight += count * outputs_.weights[i];
      squares += count * rows_[i].squares;
      absolute += count * rows_[i].absolute;
      // From the mean picture of the split, also in a resample, whose own is hardly another.
      spread += count * rows_[i].spread;
    }
    out[kLoss] = loss / weight;
    out[kMse] = squares / n;
    out[kRmse] = std::sqrt(squares / n);
    out[kMae] = absolute / n;
    out[kR2] = spread > 0 ? 1 - squares / spread : kUnknown;
  }

 private:
  struct Row {
    double squares = 0, absolute = 0, spread = 0;  // means over the pixels
  };
  const Outputs& outputs_;
  std::vector<Row> rows_;
};

}  // namespace

Judgement judge_pictures(const Outputs& outputs) {
  Judgement judgement = {.split = outputs.split, .n = outputs.n};
  const PictureMeasure measure(outputs);
  const Estimates found = estimate(outputs.n, kFigures, outputs.n, std::cref(measure));
  for (size_t i = 0; i < kFigures; ++i) {
    judgement.figures.push_back(figure_of(found, kNames[i], i));
  }
  return judgement;
}

}  // namespace mica::trainers
