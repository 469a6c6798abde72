// metrics.csv and metrics.jsonl: what was measured, a row a moment, in the order it happened.
//
//   MetricsLog log("runs/mnist", {"epoch", "step", "loss", "val_loss"});
//   log.keep_until(1200);                 // on resume: rows of later steps go
//   log.write("step", {{"epoch", 3}, {"step", 1201}, {"loss", 0.12}});
//   log.write("epoch", {{"epoch", 3}, {"step", 1406}, {"val_loss", 0.15}});
//   log.flush();                          // before a checkpoint that says that it happened
//   MetricsTable table = read_metrics("runs/mnist/metrics.csv");
//   table.series("epoch", "step", "val_loss");
//
// The first column, `event`, tells rows of training steps from those of whole epochs. A column
// without a value stays empty in the CSV and is left out of the JSON. Numbers are written so that
// they read back to the same bits. Rows are appended; they are on disk a second later at the latest
// when more follow, after flush() and at the end. Throws Error when a file can't be written.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mica::trainers {

class MetricsLog {
 public:
  /// Nothing is written before keep_until().
  MetricsLog(const std::filesystem::path& folder, std::vector<std::string> columns);

  /// Removes rows whose "step" is greater, and lines that were cut off. A file whose columns differ
  /// is started over.
  void keep_until(int64_t step);
  void write(const std::string& event, const std::map<std::string, double>& row);
  void flush();

 private:
  std::filesystem::path csv_path_;
  std::filesystem::path jsonl_path_;
  std::vector<std::string> columns_;
  std::ofstream csv_;
  std::ofstream jsonl_;
  std::chrono::steady_clock::time_point flushed_;
};

/// A metrics.csv in memory; what is empty in the file is NaN.
struct MetricsTable {
  std::vector<std::string> columns;  // without `event`
  std::vector<std::string> events;   // of each row
  std::vector<std::vector<double>> rows;

  bool has(const std::string& column) const;
  /// The rows of an event where both columns have a finite number: x and y.
  std::pair<std::vector<double>, std::vector<double>> series(const std::string& event,
                                                             const std::string& x,
                                                             const std::string& y) const;
  /// The last number of a column; NaN if there is none.
  double last(const std::string& column) const;
};

/// Leaves lines out that were cut off. A missing file gives an empty table. Throws Error (data),
/// naming file and line, for what is no number.
MetricsTable read_metrics(const std::filesystem::path& csv);

}  // namespace mica::trainers
