#include <cmath>

#include "trainers/judge/report.h"

namespace mica::trainers {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no NaN and no infinity.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json interval(const Interval& interval) {
  return Json::array({number(interval.low), number(interval.high)});
}

Json averages(const ClassScore& score) {
  return {{"precision", score.precision}, {"recall", score.recall}, {"f1", score.f1}};
}

Json class_json(const ClassReport& report) {
  return {{"class", report.name},
          {"precision", report.score.precision},
          {"recall", report.score.recall},
          {"f1", report.score.f1},
          {"support", report.score.support},
          {"roc_auc", number(report.auc)},
          {"intervals",
           {{"precision", interval(report.precision)},
            {"recall", interval(report.recall)},
            {"f1", interval(report.f1)},
            {"roc_auc", interval(report.auc_interval)}}}};
}

Json bin_json(const CalibrationBin& bin) {
  return {{"low", bin.low},
          {"high", bin.high},
          {"count", bin.count},
          {"confidence", bin.count > 0 ? Json(bin.confidence) : Json(nullptr)},
          {"accuracy", bin.count > 0 ? Json(bin.accuracy) : Json(nullptr)},
          {"interval", interval(bin.interval)}};
}

void add_classes(Json& json, const Judgement& judgement) {
  const ClassificationMetrics& counts = *judgement.counts;
  json["accuracy_error"] = counts.accuracy_error();
  json["macro"] = averages(judgement.macro);
  json["weighted"] = averages(judgement.weighted);
  json["per_class"] = json["confusion"] = Json::array();
  for (const ClassReport& report : judgement.per_class) {
    json["per_class"].push_back(class_json(report));
  }
  for (int64_t truth = 0; truth < counts.classes(); ++truth) {
    std::vector<int64_t> row;
    for (int64_t p = 0; p < counts.classes(); ++p) row.push_back(counts.confusion(truth, p));
    json["confusion"].push_back(std::move(row));
  }
  for (const CalibrationBin& bin : judgement.calibration) {
    json["calibration"].push_back(bin_json(bin));
  }
}

}  // namespace

std::string dumped(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json to_json(const Judgement& judgement) {
  Json json;
  json["split"] = judgement.split;
  json["n"] = judgement.n;
  for (const Figure& figure : judgement.figures) json[figure.name] = number(figure.value);
  for (const Figure& figure : judgement.figures) {
    json["intervals"][figure.name] = interval(figure.interval);
  }
  if (judgement.counts) add_classes(json, judgement);
  if (judgement.per_target.size() < 2) return json;
  for (const TargetReport& target : judgement.per_target) {
    Json entry = {{"target", target.name}};
    for (const Figure& figure : target.figures) {
      entry[figure.name] = number(figure.value);
      entry["intervals"][figure.name] = interval(figure.interval);
    }
    json["per_target"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace mica::trainers
