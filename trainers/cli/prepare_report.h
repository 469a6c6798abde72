// What `mica prepare` tells about a data set: on the screen, as JSON, and as a sheet of samples.
//
//   print_summary(summary);
//   write_file("mnist.report.json", to_json(summary).dump(2) + "\n");
//   write_samples("mnist.png", "mnist.h5");
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "data/prepare.h"

namespace mica::trainers {

void print_summary(const data::PrepareSummary& summary);
nlohmann::ordered_json to_json(const data::PrepareSummary& summary);

/// Draws pictures of every class of the prepared file, from its first split: a row a class as long
/// as the classes are few. Throws Error(kUsage) for data that are no pictures.
void write_samples(const std::string& png, const std::string& prepared);

}  // namespace mica::trainers
