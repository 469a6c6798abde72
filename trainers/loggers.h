// metrics.csv and metrics.jsonl: one row a report, both flushed at once.
//
//   MetricsLog log("runs/mnist", {"epoch", "step", "train_loss", "val_loss"});
//   log.keep_until(1200);                 // on resume: rows of later steps go
//   log.write({{"epoch", 3}, {"step", 1406}, {"train_loss", 0.12}, {"val_loss", 0.15}});
//
// A column without a value stays empty in the CSV and is left out of the JSON. Numbers are written
// so that they read back to the same bits. Throws Error when a file can't be written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace mica::trainers {

class MetricsLog {
 public:
  MetricsLog(const std::filesystem::path& folder, std::vector<std::string> columns);

  /// Removes rows whose "step" is greater. A file whose columns differ is started over.
  void keep_until(int64_t step);
  void write(const std::map<std::string, double>& row);

 private:
  std::filesystem::path csv_;
  std::filesystem::path jsonl_;
  std::vector<std::string> columns_;
};

}  // namespace mica::trainers
