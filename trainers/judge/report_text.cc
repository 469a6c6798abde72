#include <algorithm>
#include <cmath>

#include "trainers/judge/report.h"

namespace mica::trainers {
namespace {

// Larger matrices fit no screen; confusion.csv and --json have them whole.
constexpr int64_t kMaxMatrix = 20;
constexpr size_t kMaxTargets = 20;
constexpr size_t kWorst = 10;

// Terminals count characters, not bytes.
size_t columns_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, columns_of(text)), ' ');
}

size_t widest(const std::vector<std::string>& names, size_t least) {
  for (const std::string& name : names) least = std::max(least, columns_of(name));
  return least;
}

// Shares have four places; losses and targets may be of any size.
std::string value_text(const Figure& figure, double value) {
  if (std::isnan(value)) return "-";
  const bool share = figure.method == "wilson" || figure.name == "accuracy" ||
                     figure.method == "influence" || figure.name.ends_with("_precision") ||
                     figure.name.ends_with("_recall") || figure.name.ends_with("_f1") ||
                     figure.name == "r2" || figure.name == "ece" || figure.name == "brier";
  return share ? fmt::format("{:.4f}", value) : fmt::format("{:.5g}", value);
}

std::string interval_text(const Figure& figure) {
  if (std::isnan(figure.interval.low)) return "";
  return fmt::format("{} to {}", value_text(figure, figure.interval.low),
                     value_text(figure, figure.interval.high));
}

std::string figure_table(const Judgement& judgement) {
  std::string text = fmt::format("{:<18} {:>11}  {}\n", "", "", "95% interval");
  for (const Figure& figure : judgement.figures) {
    text += fmt::format("{:<18} {:>11}  {}\n", figure.name, value_text(figure, figure.value),
                        interval_text(figure));
  }
  return text;
}

// What a model without any input would reach.
std::string baseline(const Judgement& judgement) {
  const auto most = std::max_element(
      judgement.per_class.begin(), judgement.per_class.end(),
      [](const auto& a, const auto& b) { return a.score.support < b.score.support; });
  return fmt::format("always \"{}\": accuracy {:.4f}\n", most->name,
                     static_cast<double>(most->score.support) / static_cast<double>(judgement.n));
}

std::string class_table(const Judgement& judgement, const std::vector<std::string>& names) {
  const size_t width = widest(names, 16);
  std::string text =
      fmt::format("{} precision   recall       f1  roc_auc  support\n", padded("class", width));
  const auto row = [&](const std::string& name, const ClassScore& score, double auc) {
    text += fmt::format("{} {:9.4f} {:8.4f} {:8.4f} {:>8} {:8}\n", padded(name, width),
                        score.precision, score.recall, score.f1,
                        std::isnan(auc) ? "-" : fmt::format("{:.4f}", auc), score.support);
  };
  for (const ClassReport& report : judgement.per_class) row(report.name, report.score, report.auc);
  row("macro average", judgement.macro, judgement.find("roc_auc").value);
  row("weighted average", judgement.weighted, kUnknown);
  return text;
}

std::string confusion_table(const Judgement& judgement, const std::vector<std::string>& names) {
  const ClassificationMetrics& counts = *judgement.counts;
  if (counts.classes() > kMaxMatrix) return "";
  const size_t width = widest(names, 5);
  std::string text = "confusion (rows: truth, columns: prediction, both in the same order)\n";
  for (int64_t truth = 0; truth < counts.classes(); ++truth) {
    text += padded(names[static_cast<size_t>(truth)], width) + " ";
    for (int64_t predicted = 0; predicted < counts.classes(); ++predicted) {
      text += fmt::format(" {:5}", counts.confusion(truth, predicted));
    }
    text += "\n";
  }
  return text + "\n";
}

std::string most_confused(const Judgement& judgement, const std::vector<std::string>& names) {
  struct Pair {
    int64_t count, truth, predicted;
  };
  const ClassificationMetrics& counts = *judgement.counts;
  std::vector<Pair> pairs;
  for (int64_t truth = 0; truth < counts.classes(); ++truth) {
    for (int64_t predicted = 0; predicted < counts.classes(); ++predicted) {
      const int64_t count = counts.confusion(truth, predicted);
      if (truth != predicted && count > 0) pairs.push_back({count, truth, predicted});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.count > b.count; });
  if (pairs.empty()) return "no mistakes\n";
  std::string text = "confused most\n";
  for (const Pair& pair : std::span(pairs).first(std::min(pairs.size(), kWorst))) {
    const auto truth = static_cast<size_t>(pair.truth);
    text += fmt::format("{:5}  {} -> {}  ({:.1f}% of {})\n", pair.count, names[truth],
                        names[static_cast<size_t>(pair.predicted)],
                        100.0 * static_cast<double>(pair.count) /
                            static_cast<double>(judgement.per_class[truth].score.support),
                        names[truth]);
  }
  return text;
}

std::string worst_mistakes(const Outputs& outputs) {
  const std::vector<int64_t> rows = mistakes(outputs);
  if (rows.empty()) return "";
  std::string text = "\nmost confident mistakes\n    row  confidence  truth -> prediction\n";
  for (const int64_t row : std::span(rows).first(std::min(rows.size(), kWorst))) {
    const auto at = static_cast<size_t>(row);
    text += fmt::format("{:7}  {:10.4f}  {} -> {}\n", row, outputs.confidence(row),
                        outputs.names[static_cast<size_t>(outputs.labels[at])],
                        outputs.names[static_cast<size_t>(outputs.predicted[at])]);
  }
  return text;
}

std::string target_table(const Judgement& judgement, const std::vector<std::string>& names) {
  const std::vector<TargetReport>& targets = judgement.per_target;
  if (targets.size() < 2) return "";
  const size_t width = widest(names, 6);
  std::string text = fmt::format("\n{}", padded("target", width));
  for (const Figure& figure : targets[0].figures) text += fmt::format(" {:>12}", figure.name);
  text += "\n";
  for (const TargetReport& target :
       std::span(targets).first(std::min(targets.size(), kMaxTargets))) {
    text += padded(target.name, width);
    for (const Figure& figure : target.figures) {
      text += fmt::format(" {:>12}", value_text(figure, figure.value));
    }
    text += "\n";
  }
  const size_t more = targets.size() - std::min(targets.size(), kMaxTargets);
  return more == 0 ? text : text + fmt::format("and {} more\n", more);
}

std::string worst_rows(const Outputs& outputs) {
  if (outputs.width > 1) return "";
  std::string text = "\nlargest errors\n    row         truth    prediction         error\n";
  const std::vector<int64_t> rows = largest_errors(outputs);
  for (const int64_t row : std::span(rows).first(std::min(rows.size(), kWorst))) {
    const auto at = static_cast<size_t>(row);
    const double truth = outputs.targets[at], value = outputs.values[at];
    text += fmt::format("{:7}  {:12.6g}  {:12.6g}  {:12.6g}\n", row, truth, value, value - truth);
  }
  return text;
}

std::string worst_pictures(const Outputs& outputs) {
  std::string text = "\nreconstructed worst\n    row          rmse\n";
  const std::vector<int64_t> rows = largest_errors(outputs);
  const std::vector<double> errors = row_errors(outputs);
  for (const int64_t row : std::span(rows).first(std::min(rows.size(), kWorst))) {
    text += fmt::format("{:7}  {:12.6g}\n", row, errors[static_cast<size_t>(row)]);
  }
  return text;
}

}  // namespace

std::string grouped(int64_t count) {
  std::string text = fmt::format("{}", count);
  for (auto at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(text.begin() + at, ',');
  }
  return text;
}

std::string describe(const Judgement& judgement, const Outputs& outputs, const std::string& model) {
  const std::vector<std::string>& names = outputs.names;
  std::string text =
      fmt::format("{}\nsplit '{}', {} example{}\n\n{}", model, judgement.split,
                  grouped(judgement.n), judgement.n == 1 ? "" : "s", figure_table(judgement));
  if (outputs.together) return text + worst_pictures(outputs);
  if (!judgement.counts) return text + target_table(judgement, names) + worst_rows(outputs);
  return text + baseline(judgement) + "\n" + class_table(judgement, names) + "\n" +
         confusion_table(judgement, names) + most_confused(judgement, names) +
         worst_mistakes(outputs);
}

}  // namespace mica::trainers
