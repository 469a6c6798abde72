// Scores as JSON for programs and in a line for people.
#include "trainers/evaluate.h"

namespace mica::trainers {
namespace {

std::string class_name(const std::vector<std::string>& names, int64_t index) {
  const size_t i = static_cast<size_t>(index);
  return i < names.size() ? names[i] : fmt::format("{}", index);
}

// As many digits as a picture needs. What is no number is drawn nowhere; JSON has only null for it.
nlohmann::ordered_json rounded(const std::vector<double>& values) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const double value : values) json.push_back(std::stod(fmt::format("{:.6g}", value)));
  return json;
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
  for (const TargetPoints& points : scores.points) {
    json["points"].push_back({{"target", points.name},
                              {"truth", rounded(points.truth)},
                              {"prediction", rounded(points.prediction)}});
  }
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

}  // namespace mica::trainers
