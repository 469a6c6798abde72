// Scores as JSON for programs and as text for people.
#include <algorithm>

#include "trainers/evaluate.h"

namespace mica::trainers {
namespace {

// Larger matrices fit no screen; --json has them whole.
constexpr int64_t kMaxMatrix = 20;

std::string class_name(const std::vector<std::string>& names, int64_t index) {
  const size_t i = static_cast<size_t>(index);
  return i < names.size() ? names[i] : fmt::format("{}", index);
}

size_t widest(const std::vector<std::string>& names, size_t least) {
  size_t width = least;
  for (const std::string& name : names) width = std::max(width, name.size());
  return width;
}

std::string class_table(const ClassificationMetrics& metrics,
                        const std::vector<std::string>& names) {
  const size_t width = widest(names, 7);
  std::string text = fmt::format("{:<{}}  precision  recall     f1  support\n", "class", width);
  const auto row = [&](const std::string& name, const ClassScore& score) {
    text += fmt::format("{:<{}}  {:9.4f}  {:6.4f} {:6.4f} {:8}\n", name, width, score.precision,
                        score.recall, score.f1, score.support);
  };
  const std::vector<ClassScore> scores = metrics.per_class();
  for (size_t c = 0; c < scores.size(); ++c) {
    row(class_name(names, static_cast<int64_t>(c)), scores[c]);
  }
  row("average", metrics.macro());
  return text;
}

std::string confusion_table(const ClassificationMetrics& metrics,
                            const std::vector<std::string>& names) {
  if (metrics.classes() > kMaxMatrix) return "";
  const size_t width = widest(names, 5);
  std::string text = "confusion (rows: truth, columns: prediction)\n";
  for (int64_t truth = 0; truth < metrics.classes(); ++truth) {
    text += fmt::format("{:<{}} ", class_name(names, truth), width);
    for (int64_t predicted = 0; predicted < metrics.classes(); ++predicted) {
      text += fmt::format(" {:5}", metrics.confusion(truth, predicted));
    }
    text += "\n";
  }
  return text;
}

nlohmann::ordered_json class_json(const ClassScore& score) {
  return {{"precision", score.precision},
          {"recall", score.recall},
          {"f1", score.f1},
          {"support", score.support}};
}

}  // namespace

nlohmann::ordered_json to_json(const Scores& scores, const std::vector<std::string>& class_names) {
  nlohmann::ordered_json json;
  json["split"] = scores.split;
  json["n"] = scores.n;
  for (const auto& [name, value] : scores.numbers()) json[name] = value;
  if (!scores.classes) return json;
  const ClassificationMetrics& metrics = *scores.classes;
  json["accuracy_error"] = metrics.accuracy_error();
  json["macro"] = class_json(metrics.macro());
  json["macro"].erase("support");
  const std::vector<ClassScore> per_class = metrics.per_class();
  for (int64_t c = 0; c < metrics.classes(); ++c) {
    nlohmann::ordered_json entry = {{"class", class_name(class_names, c)}};
    entry.update(class_json(per_class[static_cast<size_t>(c)]));
    json["per_class"].push_back(std::move(entry));
    std::vector<int64_t> row;
    for (int64_t p = 0; p < metrics.classes(); ++p) row.push_back(metrics.confusion(c, p));
    json["confusion"].push_back(std::move(row));
  }
  return json;
}

std::string headline(const Scores& scores) {
  std::string text;
  for (const auto& [name, value] : scores.numbers()) {
    if (name == "loss") continue;
    // Class shares have four places; targets may be of any size.
    text += scores.classes ? fmt::format("{} {:.4f}", name, value)
                           : fmt::format("{} {:.6g}", name, value);
    if (name == "accuracy") text += fmt::format(" ± {:.4f}", scores.classes->accuracy_error());
    text += ", ";
  }
  return text + fmt::format("loss {:.6g} ({} examples)", scores.loss, scores.n);
}

std::string describe(const Scores& scores, const std::vector<std::string>& class_names) {
  std::string text = fmt::format("{}: {}\n", scores.split, headline(scores));
  if (!scores.classes) return text;
  return text + "\n" + class_table(*scores.classes, class_names) + "\n" +
         confusion_table(*scores.classes, class_names);
}

}  // namespace mica::trainers
