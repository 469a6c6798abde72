// A judgement as JSON for programs and as text for people.
//
//   std::string text = describe(judgement, outputs, "runs/a/checkpoints/best.h5");
//   nlohmann::ordered_json json = to_json(judgement);
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "trainers/judge/judge.h"

namespace mica::trainers {

/// split, n and every figure by name; intervals; for classes accuracy_error, macro, weighted,
/// per_class, confusion (rows are the truth) and calibration; per_target of several targets. What
/// is not known is null.
nlohmann::ordered_json to_json(const Judgement& judgement);

/// The figures with their intervals, a table of classes, the confusion matrix of up to 20, what is
/// confused most, and the worst rows. `model` is what was judged.
std::string describe(const Judgement& judgement, const Outputs& outputs, const std::string& model);

/// As text. What is no UTF-8 in names is replaced. `indent` -1: in one line.
std::string dumped(const nlohmann::ordered_json& json, int indent = -1);

/// "12,345"
std::string grouped(int64_t count);

}  // namespace mica::trainers
