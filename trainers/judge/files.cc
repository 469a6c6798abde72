#include "trainers/judge/files.h"

#include <fmt/format.h>

#include <cmath>

#include "core/io/file.h"
#include "trainers/judge/report.h"
#include "trainers/run_folder.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kTop = 3;          // classes a line of predictions.csv names
constexpr int64_t kMaxTargets = 50;  // more are summed up, a line a row of the split

std::string class_predictions(const Outputs& outputs) {
  const int64_t top = std::min(kTop, outputs.width);
  std::string text = "row,truth,prediction,correct,confidence,truth_probability,loss";
  for (int64_t k = 2; k <= top; ++k) text += fmt::format(",prediction_{0},confidence_{0}", k);
  text += "\n";
  std::vector<std::string> names;
  for (const std::string& name : outputs.names) names.push_back(csv_field(name));
  const auto width = static_cast<size_t>(outputs.width);
  for (int64_t row = 0; row < outputs.n; ++row) {
    const auto at = static_cast<size_t>(row);
    const int64_t truth = outputs.labels[at];
    text += fmt::format("{},{},{},{},{:.6g},{:.6g},{:.6g}", row, names[static_cast<size_t>(truth)],
                        names[static_cast<size_t>(outputs.predicted[at])],
                        outputs.is_right(row) ? 1 : 0, outputs.confidence(row),
                        outputs.probability(row, truth), outputs.losses[at]);
    const std::vector<int64_t> order =
        highest(std::span(outputs.scores).subspan(at * width, width), top);
    for (const int64_t k : std::span(order).subspan(1)) {
      text += fmt::format(",{},{:.6g}", names[static_cast<size_t>(k)], outputs.probability(row, k));
    }
    text += "\n";
  }
  return text;
}

// The mean and largest error of each row stand for many targets.
std::string summed_predictions(const Outputs& outputs) {
  std::string text = "row,rmse,mae,largest_error,loss\n";
  const auto width = static_cast<size_t>(outputs.width);
  for (size_t row = 0; row < static_cast<size_t>(outputs.n); ++row) {
    double squares = 0, absolute = 0, largest = 0;
    for (size_t i = row * width; i < (row + 1) * width; ++i) {
      const double error = std::abs(static_cast<double>(outputs.values[i]) - outputs.targets[i]);
      squares += error * error;
      absolute += error;
      largest = std::max(largest, error);
    }
    const auto count = static_cast<double>(width);
    text += fmt::format("{},{:.6g},{:.6g},{:.6g},{:.6g}\n", row, std::sqrt(squares / count),
                        absolute / count, largest, outputs.losses[row]);
  }
  return text;
}

std::string value_predictions(const Outputs& outputs) {
  if (outputs.together || outputs.width > kMaxTargets) return summed_predictions(outputs);
  std::string text = "row";
  for (const std::string& name : outputs.names) {
    const std::string suffix = outputs.width == 1 ? "" : fmt::format("_{}", name);
    for (const char* column : {"truth", "prediction", "error"}) {
      text += fmt::format(",{}", csv_field(column + suffix));
    }
  }
  text += ",loss\n";
  const auto width = static_cast<size_t>(outputs.width);
  for (size_t row = 0; row < static_cast<size_t>(outputs.n); ++row) {
    text += fmt::format("{}", row);
    for (size_t i = row * width; i < (row + 1) * width; ++i) {
      text += fmt::format(",{},{},{}", outputs.targets[i], outputs.values[i],
                          outputs.values[i] - outputs.targets[i]);
    }
    text += fmt::format(",{:.6g}\n", outputs.losses[row]);
  }
  return text;
}

}  // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string predictions_csv(const Outputs& outputs) {
  return outputs.classes ? class_predictions(outputs) : value_predictions(outputs);
}

std::string confusion_csv(const ClassificationMetrics& counts,
                          const std::vector<std::string>& names, bool normalized) {
  std::string text = "truth";
  for (const std::string& name : names) text += fmt::format(",{}", csv_field(name));
  text += "\n";
  const std::vector<ClassScore> scores = counts.per_class();
  for (int64_t truth = 0; truth < counts.classes(); ++truth) {
    const int64_t support = scores[static_cast<size_t>(truth)].support;
    text += csv_field(names[static_cast<size_t>(truth)]);
    for (int64_t predicted = 0; predicted < counts.classes(); ++predicted) {
      const int64_t count = counts.confusion(truth, predicted);
      if (!normalized) {
        text += fmt::format(",{}", count);
      } else if (support > 0) {
        text += fmt::format(",{:.6g}", static_cast<double>(count) / static_cast<double>(support));
      } else {
        text += ",";  // of a class that does not occur
      }
    }
    text += "\n";
  }
  return text;
}

std::string calibration_csv(const Judgement& judgement) {
  std::string text = "low,high,count,confidence,accuracy,accuracy_low,accuracy_high\n";
  for (const CalibrationBin& bin : judgement.calibration) {
    text += fmt::format("{:.6g},{:.6g},{}", bin.low, bin.high, bin.count);
    text += bin.count == 0 ? ",,,,\n"
                           : fmt::format(",{:.6g},{:.6g},{:.6g},{:.6g}\n", bin.confidence,
                                         bin.accuracy, bin.interval.low, bin.interval.high);
  }
  return text;
}

void write_evaluation(const fs::path& folder, const Judgement& judgement, const Outputs& outputs,
                      const data::Dataset& dataset, const std::string& model) {
  make_folder(folder);
  const auto write = [&](const char* name, const std::string& text) {
    write_file((folder / name).string(), text);
  };
  nlohmann::ordered_json json = {{"model", model}};
  json.update(to_json(judgement));
  write("report.txt", describe(judgement, outputs, model));
  write("report.json", dumped(json, 2) + "\n");
  write("predictions.csv", predictions_csv(outputs));
  if (judgement.counts) {
    write("confusion.csv", confusion_csv(*judgement.counts, outputs.names, false));
    write("confusion_normalized.csv", confusion_csv(*judgement.counts, outputs.names, true));
    write("calibration.csv", calibration_csv(judgement));
  }
  write_pictures(folder, judgement, outputs, dataset);
}

}  // namespace mica::trainers
