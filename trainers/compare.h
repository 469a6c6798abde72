// Runs side by side: what they reached, in what their configs differ, their curves together.
//
//   std::vector<StoredRun> runs = {read_run("runs/a"), read_run("runs/b")};
//   Comparison comparison = compare(runs);
//   comparison.figures.rows[0];                      // "a", "10", "0.9912", ...
//   write_file("compare.html", compare_page(runs));
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trainers/stored_run.h"

namespace mica::trainers {

/// Cells are plain text; a cell without a value is empty.
struct TextTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

struct Comparison {
  /// The folders' names; whole paths where two are the same.
  std::vector<std::string> names;
  /// A row a run: status, epochs, best and final metrics, time. Columns that no run has a value for
  /// are left out.
  TextTable figures;
  /// A row for each key of the configs that is not the same in all runs, a column a run. A list
  /// that differs in many places is one row, with the names of its items.
  TextTable differences;
};
Comparison compare(const std::vector<StoredRun>& runs);

std::string compare_page(const std::vector<StoredRun>& runs);
/// The curves, two in a row, as a PNG file.
std::string compare_png(const std::vector<StoredRun>& runs);
nlohmann::ordered_json compare_json(const std::vector<StoredRun>& runs);
/// Columns side by side, for a terminal; long cells are shortened.
std::string aligned(const TextTable& table);

}  // namespace mica::trainers
