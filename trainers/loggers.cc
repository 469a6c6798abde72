#include "trainers/loggers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/file.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

std::string header(const std::vector<std::string>& columns) {
  return fmt::format("event,{}\n", fmt::join(columns, ","));
}

// Integers without a point, all else so that it reads back exactly.
std::string number(double value) {
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  return whole ? fmt::format("{}", static_cast<int64_t>(value)) : fmt::format("{}", value);
}

// The step a line belongs to; nothing for a line that was cut off.
bool is_kept(const std::string& step, int64_t last) {
  int64_t number = 0;
  const auto [stop, code] = std::from_chars(step.data(), step.data() + step.size(), number);
  return code == std::errc() && stop == step.data() + step.size() && number <= last;
}

// The next cell of a line; removes it and its comma.
std::string_view take_cell(std::string_view& line) {
  const size_t comma = std::min(line.find(','), line.size());
  const std::string_view cell = line.substr(0, comma);
  line.remove_prefix(std::min(comma + 1, line.size()));
  return cell;
}

}  // namespace

MetricsLog::MetricsLog(const fs::path& folder, std::vector<std::string> columns)
    : csv_path_(folder / "metrics.csv"),
      jsonl_path_(folder / "metrics.jsonl"),
      columns_(std::move(columns)) {}

void MetricsLog::keep_until(int64_t step) {
  csv_.close();
  jsonl_.close();
  const auto column = std::find(columns_.begin(), columns_.end(), "step") - columns_.begin() + 1;
  std::string kept_csv = header(columns_), kept_jsonl, line;
  std::ifstream csv(csv_path_), jsonl(jsonl_path_);
  if (std::getline(csv, line) && line + "\n" == kept_csv) {
    while (std::getline(csv, line)) {
      if (csv.eof()) break;  // no end of line: cut off while it was written
      std::string_view rest = line;
      for (auto i = column; i > 0; --i) take_cell(rest);
      if (is_kept(std::string(take_cell(rest)), step)) kept_csv += line + "\n";
    }
  }
  while (std::getline(jsonl, line)) {
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    const bool good = row.is_object() && row.contains("step") && row["step"].is_number();
    if (good && row["step"].get<double>() <= static_cast<double>(step)) kept_jsonl += line + "\n";
  }
  write_file(csv_path_.string(), kept_csv);
  write_file(jsonl_path_.string(), kept_jsonl);
  csv_.open(csv_path_, std::ios::app);
  jsonl_.open(jsonl_path_, std::ios::app);
  flush();
}

void MetricsLog::write(const std::string& event, const std::map<std::string, double>& row) {
  std::string csv = event, json = fmt::format("{{\"event\": \"{}\"", event);
  for (const std::string& column : columns_) {
    csv += ',';
    const auto found = row.find(column);
    if (found == row.end() || std::isnan(found->second)) continue;
    const std::string text = number(found->second);
    csv += text;
    // JSON has no infinity.
    json += fmt::format(", \"{}\": {}", column, std::isinf(found->second) ? "null" : text);
  }
  csv_ << csv << '\n';
  jsonl_ << json << "}\n";
  if (std::chrono::steady_clock::now() - flushed_ > std::chrono::seconds(1)) flush();
}

void MetricsLog::flush() {
  for (auto* file : {&csv_, &jsonl_}) {
    const fs::path& path = file == &csv_ ? csv_path_ : jsonl_path_;
    errno = 0;
    if (file->flush()) continue;
    fail(ErrorKind::kData, "{}: cannot write: {}", path.string(),
         errno != 0 ? std::strerror(errno) : "the file is not open");
  }
  flushed_ = std::chrono::steady_clock::now();
}

bool MetricsTable::has(const std::string& column) const {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

std::pair<std::vector<double>, std::vector<double>> MetricsTable::series(
    const std::string& event, const std::string& x, const std::string& y) const {
  std::pair<std::vector<double>, std::vector<double>> series;
  const auto at = [&](const std::string& name) {
    return static_cast<size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
  };
  const size_t i = at(x), j = at(y);
  if (i == columns.size() || j == columns.size()) return series;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (events[row] != event || !std::isfinite(rows[row][i]) || !std::isfinite(rows[row][j])) {
      continue;
    }
    series.first.push_back(rows[row][i]);
    series.second.push_back(rows[row][j]);
  }
  return series;
}

double MetricsTable::last(const std::string& column) const {
  const auto at =
      static_cast<size_t>(std::find(columns.begin(), columns.end(), column) - columns.begin());
  if (at == columns.size()) return std::nan("");
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (!std::isnan((*row)[at])) return (*row)[at];
  }
  return std::nan("");
}

MetricsTable read_metrics(const fs::path& path) {
  MetricsTable table;
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return table;
  std::string_view rest = line;
  if (take_cell(rest) != "event") {
    fail(ErrorKind::kData, "{}:1: not the metrics of a run: the first column is not 'event'",
         path.string());
  }
  while (!rest.empty()) table.columns.emplace_back(take_cell(rest));
  for (int number = 2; std::getline(file, line); ++number) {
    if (file.eof()) break;  // no end of line: it is still being written
    rest = line;
    table.events.emplace_back(take_cell(rest));
    std::vector<double>& row = table.rows.emplace_back(table.columns.size(), std::nan(""));
    for (double& value : row) {
      const std::string_view cell = take_cell(rest);
      if (cell.empty()) continue;
      const auto [stop, code] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      if (code == std::errc() && stop == cell.data() + cell.size()) continue;
      fail(ErrorKind::kData, "{}:{}: '{}' is no number", path.string(), number, cell);
    }
  }
  return table;
}

}  // namespace mica::trainers
