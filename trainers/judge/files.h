// The files of an evaluation, for people, spreadsheets and programs:
//
//   report.txt, report.json                      what `mica evaluate` prints
//   predictions.csv                              a line a row of the split
//   confusion.csv, confusion_normalized.csv      (classes) rows are the truth; shares of the truth
//   calibration.csv                              (classes)
//   confusion.png, confusion_normalized.png, calibration.png, misclassified.png     (classes)
//   residuals.png, predicted.png                 (values)
//   reconstructions.png, worst_reconstructions.png     (pictures)
//
// Each is written in one step.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "trainers/judge/judge.h"

namespace mica::trainers {

/// Writes all of them into `folder`, which is made if it is missing. `dataset` shows the pictures
/// of the misclassified, where the examples are some. `model` is what was judged.
void write_evaluation(const std::filesystem::path& folder, const Judgement& judgement,
                      const Outputs& outputs, const data::Dataset& dataset,
                      const std::string& model);

/// A field of a CSV file, in quotes where it needs them.
std::string csv_field(const std::string& text);

// The texts of the files.
std::string predictions_csv(const Outputs& outputs);
std::string confusion_csv(const ClassificationMetrics& counts,
                          const std::vector<std::string>& names, bool normalized);
std::string calibration_csv(const Judgement& judgement);

/// The pictures, for write_evaluation().
void write_pictures(const std::filesystem::path& folder, const Judgement& judgement,
                    const Outputs& outputs, const data::Dataset& dataset);

}  // namespace mica::trainers
