// report.html: a run on one page that stands alone, with nothing to fetch and nothing to install.
//
//   write_file("runs/mnist/report.html", report_page(read_run("runs/mnist")));
//
// Result, curves, confusion matrix, examples, layers, data, config, machine and how to repeat it.
// Pictures are inline. Sections that a run has nothing for are left out.
#pragma once

#include <string>

#include "trainers/draw/chart.h"
#include "trainers/stored_run.h"

namespace mica::trainers {

std::string report_page(const StoredRun& run);

/// A page with title and style around the parts; `body` is HTML.
std::string html_page(const std::string& title, const std::string& body);
/// A table with a head; cells are HTML. Columns from `numbers` on are right-aligned.
std::string html_table(const std::vector<std::string>& head,
                       const std::vector<std::vector<std::string>>& rows, size_t numbers = 1);
/// An SVG in a box.
std::string html_figure(const std::string& svg);

/// The confusion matrix in scores of trainers/evaluate.h; without rows if there is none.
draw::HeatMap confusion_map(const nlohmann::ordered_json& scores);

/// "0.9921 ± 0.0009" for "accuracy" in scores, "0.02537" for others.
std::string score_text(const nlohmann::ordered_json& scores, const std::string& name);

}  // namespace mica::trainers
