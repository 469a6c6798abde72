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

void append(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::app);
  if (file << text && file.flush()) return;
  fail(ErrorKind::kData, "{}: cannot write: {}", path.string(), std::strerror(errno));
}

std::string header(const std::vector<std::string>& columns) {
  return fmt::format("{}\n", fmt::join(columns, ","));
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

}  // namespace

MetricsLog::MetricsLog(const fs::path& folder, std::vector<std::string> columns)
    : csv_(folder / "metrics.csv"),
      jsonl_(folder / "metrics.jsonl"),
      columns_(std::move(columns)) {}

void MetricsLog::keep_until(int64_t step) {
  const auto column = std::find(columns_.begin(), columns_.end(), "step") - columns_.begin();
  std::string kept_csv = header(columns_), kept_jsonl, line;
  std::ifstream csv(csv_), jsonl(jsonl_);
  if (std::getline(csv, line) && line + "\n" == kept_csv) {
    while (std::getline(csv, line)) {
      if (csv.eof()) break;  // no end of line: cut off while it was written
      std::string_view rest = line;
      for (auto i = column; i > 0 && !rest.empty(); --i) {
        const size_t comma = rest.find(',');
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      }
      if (is_kept(std::string(rest.substr(0, rest.find(','))), step)) kept_csv += line + "\n";
    }
  }
  while (std::getline(jsonl, line)) {
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    const bool good = row.is_object() && row.contains("step") && row["step"].is_number();
    if (good && row["step"].get<double>() <= static_cast<double>(step)) kept_jsonl += line + "\n";
  }
  write_file(csv_.string(), kept_csv);
  write_file(jsonl_.string(), kept_jsonl);
}

void MetricsLog::write(const std::map<std::string, double>& row) {
  std::vector<std::string> cells;
  std::string json;
  for (const std::string& column : columns_) {
    const auto found = row.find(column);
    const bool present = found != row.end() && !std::isnan(found->second);
    cells.push_back(present ? number(found->second) : "");
    if (!present) continue;
    // JSON has no infinity.
    const std::string text = std::isinf(found->second) ? "null" : cells.back();
    json += fmt::format("{}\"{}\": {}", json.empty() ? "" : ", ", column, text);
  }
  append(csv_, fmt::format("{}\n", fmt::join(cells, ",")));
  append(jsonl_, fmt::format("{{{}}}\n", json));
}

}  // namespace mica::trainers
