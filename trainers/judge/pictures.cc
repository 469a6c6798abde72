// What an evaluation looks like: the misclassified, the confusion matrix, calibration, residuals.
#include <algorithm>

#include "trainers/draw/chart.h"
#include "trainers/draw/sheet.h"
#include "trainers/judge/files.h"
#include "trainers/judge/report.h"
#include "trainers/value_charts.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMostPictures = 100;
constexpr int64_t kMostDots = 5000;
constexpr size_t kColumns = 10;
constexpr int64_t kMostReconstructions = 40;

bool are_pictures(const Shape& shape) {
  return shape.size() == 3 && shape[0] > 1 && shape[1] > 1 &&
         (shape[2] == 1 || shape[2] == 3 || shape[2] == 4);
}

// Numbers as bytes, `low` black and `high` white; what is no number is black, too.
draw::Picture picture_of(std::span<const float> values, const Shape& shape, float low, float high) {
  draw::Picture picture{shape[0], shape[1], shape[2], {}, {}, false};
  const float range = high > low ? high - low : 1;
  for (const float value : values) {
    const float share = (value - low) / range;
    picture.pixels.push_back(share > 0 ? static_cast<uint8_t>(255 * std::min(share, 1.0f) + 0.5f)
                                       : uint8_t{0});
  }
  return picture;
}

// The example; numbers are stretched from their least to their largest.
draw::Picture picture_of(const data::Split& split, int64_t row) {
  const Shape shape = split.sample_shape();
  const auto count = static_cast<size_t>(size_of(shape)), from = static_cast<size_t>(row) * count;
  if (split.x.dtype == Dtype::kUint8) {
    const std::span<const uint8_t> bytes = split.x.as<uint8_t>().subspan(from, count);
    return {shape[0], shape[1], shape[2], {bytes.begin(), bytes.end()}, {}, false};
  }
  const std::span<const float> values = split.x.as<float>().subspan(from, count);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return picture_of(values, shape, *least, *most);
}

void write_misclassified(const fs::path& png, const Outputs& outputs,
                         const data::Dataset& dataset) {
  const std::vector<int64_t> rows = mistakes(outputs);
  const data::Split& split = dataset.split(outputs.split);
  const auto name = [&](int64_t label) { return outputs.names[static_cast<size_t>(label)]; };
  std::vector<draw::Picture> pictures;
  for (const int64_t row : std::span(rows).first(std::min(rows.size(), kMostPictures))) {
    const auto at = static_cast<size_t>(row);
    pictures.push_back(picture_of(split, row));
    // Long names stand below each other.
    const std::string truth = name(outputs.labels[at]), taken = name(outputs.predicted[at]);
    const char* joint = truth.size() + taken.size() > 12 ? "\n→ " : " → ";
    pictures.back().caption =
        fmt::format("{}{}{}\n{:.4f}  #{}", truth, joint, taken, outputs.confidence(row), row);
  }
  const std::string which = rows.size() > kMostPictures
                                ? fmt::format(", the {} most confident", kMostPictures)
                                : ", the most confident first";
  const std::string title = fmt::format(
      "{} of {} examples of '{}' misclassified{}", grouped(static_cast<int64_t>(rows.size())),
      grouped(outputs.n), outputs.split, rows.empty() ? "" : which);
  draw::write_sheet(png, pictures, {.title = title, .columns = kColumns});
}

void write_confusion(const fs::path& folder, const Judgement& judgement,
                     const std::vector<std::string>& names) {
  const ClassificationMetrics& counts = *judgement.counts;
  draw::HeatMap counted{.title = fmt::format("Confusion on '{}'", judgement.split),
                        .row_title = "truth",
                        .column_title = "prediction",
                        .rows = names,
                        .columns = names,
                        .confusion = true};
  draw::HeatMap shares = counted;
  shares.title += ", shares of the truth";
  shares.decimals = 2;
  const std::vector<ClassScore> scores = counts.per_class();
  for (int64_t truth = 0; truth < counts.classes(); ++truth) {
    const auto support = static_cast<double>(scores[static_cast<size_t>(truth)].support);
    for (int64_t predicted = 0; predicted < counts.classes(); ++predicted) {
      const auto count = static_cast<double>(counts.confusion(truth, predicted));
      counted.values.push_back(count);
      shares.values.push_back(support > 0 ? count / support : 0);
    }
  }
  draw::write_png(folder / "confusion.png", counted);
  draw::write_png(folder / "confusion_normalized.png", shares);
}

void write_calibration(const fs::path& png, const Judgement& judgement) {
  draw::CalibrationChart chart{.title = fmt::format("Calibration on '{}'", judgement.split)};
  for (const CalibrationBin& bin : judgement.calibration) {
    chart.bins.push_back({bin.confidence, bin.accuracy, bin.count});
  }
  chart.note = fmt::format("expected calibration error {:.4f}", judgement.find("ece").value);
  draw::write_png(png, chart);
}

void write_values(const fs::path& folder, const Judgement& judgement, const Outputs& outputs) {
  const auto width = static_cast<size_t>(outputs.width);
  std::vector<TargetPoints> targets;
  for (size_t k = 0; k < static_cast<size_t>(std::min(outputs.width, kMostTargets)); ++k) {
    TargetPoints& points = targets.emplace_back(TargetPoints{.name = outputs.names[k]});
    for (const int64_t row : even_rows(outputs.n, kMostDots)) {
      const size_t i = static_cast<size_t>(row) * width + k;
      points.truth.push_back(outputs.targets[i]);
      points.prediction.push_back(outputs.values[i]);
    }
  }
  const ValueCharts charts = value_charts(judgement.split, targets, judgement.find("r2").value,
                                          judgement.find("mae").value);
  draw::write_png(folder / "predicted.png", charts.predicted);
  draw::write_png(folder / "residuals.png", charts.residuals);
}

// A row of originals, below it what was made of each, and so on.
void write_reconstructions(const fs::path& png, const Outputs& outputs,
                           std::span<const int64_t> rows, bool bytes, const std::string& which) {
  const size_t columns = std::min(rows.size(), kColumns);
  const auto width = static_cast<size_t>(outputs.width);
  const std::vector<double> errors = row_errors(outputs);
  std::vector<draw::Picture> pictures;
  for (size_t first = 0; first + columns <= rows.size(); first += columns) {
    std::vector<draw::Picture> made;
    for (const int64_t row : rows.subspan(first, columns)) {
      const size_t from = static_cast<size_t>(row) * width;
      const auto original = std::span<const float>(outputs.targets).subspan(from, width);
      const auto [least, most] = std::minmax_element(original.begin(), original.end());
      const float low = bytes ? 0 : *least, high = bytes ? 255 : *most;
      pictures.push_back(picture_of(original, outputs.shape, low, high));
      made.push_back(picture_of(std::span<const float>(outputs.values).subspan(from, width),
                                outputs.shape, low, high));
      pictures.back().caption = fmt::format("#{}", row);
      pictures.back().marked = true;
      made.back().caption = fmt::format("rmse {:.3g}", errors[static_cast<size_t>(row)]);
    }
    pictures.insert(pictures.end(), made.begin(), made.end());
  }
  const std::string title = fmt::format(
      "Examples of '{}' (framed), and below each its reconstruction: {}", outputs.split, which);
  draw::write_sheet(png, pictures, {.title = title, .columns = static_cast<int64_t>(columns)});
}

void write_all_reconstructions(const fs::path& folder, const Outputs& outputs, bool bytes) {
  auto count = static_cast<size_t>(std::min(outputs.n, kMostReconstructions));
  if (count > kColumns) count -= count % kColumns;
  const std::vector<int64_t> even = even_rows(outputs.n, static_cast<int64_t>(count));
  const std::vector<int64_t> worst = largest_errors(outputs);
  write_reconstructions(folder / "reconstructions.png", outputs, even, bytes,
                        fmt::format("{} of {}", count, grouped(outputs.n)));
  write_reconstructions(folder / "worst_reconstructions.png", outputs,
                        std::span(worst).first(count), bytes, "the worst first");
}

}  // namespace

void write_pictures(const fs::path& folder, const Judgement& judgement, const Outputs& outputs,
                    const data::Dataset& dataset) {
  if (outputs.together) {
    if (!are_pictures(outputs.shape)) return;
    const bool bytes = dataset.sample_dtype() == Dtype::kUint8;
    return write_all_reconstructions(folder, outputs, bytes);
  }
  if (!judgement.counts) return write_values(folder, judgement, outputs);
  write_confusion(folder, judgement, outputs.names);
  write_calibration(folder / "calibration.png", judgement);
  if (are_pictures(dataset.sample_shape())) {
    write_misclassified(folder / "misclassified.png", outputs, dataset);
  }
}

}  // namespace mica::trainers
