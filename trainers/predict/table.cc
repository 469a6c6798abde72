#include "trainers/predict/table.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "trainers/diagnostics.h"

namespace mica::trainers {
namespace {

constexpr const char* kMissingCategory = "(missing)";
constexpr size_t kMostListed = 8;

size_t index_of(const std::vector<std::string>& names, std::string_view name) {
  return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::string listed(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kMostListed);
  return fmt::format("{}{}",
                     fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "),
                     shown < names.size() ? ", ..." : "");
}

// "ocean=INLAND" is the category INLAND of the column ocean, unless a column has the whole name.
// Without columns to look at, the name ends at the first '='.
std::pair<std::string, std::string> split_feature(const std::string& feature,
                                                  const std::vector<std::string>& columns) {
  if (index_of(columns, feature) < columns.size()) return {feature, ""};
  for (size_t at = feature.rfind('='); at != std::string::npos && at > 0;
       at = feature.rfind('=', at - 1)) {
    const std::string name = feature.substr(0, at);
    if (index_of(columns, name) < columns.size()) return {name, feature.substr(at + 1)};
  }
  const size_t at = feature.find('=');
  if (at == std::string::npos) return {feature, ""};
  return {feature.substr(0, at), feature.substr(at + 1)};
}

}  // namespace

TableEncoder::TableEncoder(const std::vector<std::string>& columns, bool has_header,
                           const ExampleSpec& spec, const std::string& where)
    : fill_(spec.fill), width_(static_cast<size_t>(size_of(spec.shape))) {
  if (spec.features.size() != width_) {
    match_places(columns.size(), has_header, spec, where);
    return;
  }
  list_columns(columns, spec);
  // Names made up for a table without a header count the columns of training, target included.
  if (has_header || columns.size() != columns_.size()) {
    match_names(columns, where);
    return;
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].place = i;
    names.push_back(columns_[i].name);
  }
  if (names == columns) return;
  note_ = fmt::format("{}: no header; columns taken as {}", where, listed(names));
}

void TableEncoder::list_columns(const std::vector<std::string>& names, const ExampleSpec& spec) {
  for (size_t i = 0; i < width_; ++i) {
    const auto [name, category] = split_feature(spec.features[i], names);
    auto column = std::find_if(columns_.begin(), columns_.end(),
                               [&name = name](const Column& c) { return c.name == name; });
    if (column == columns_.end()) column = columns_.insert(column, {.name = name});
    if (name != spec.features[i]) column->categories.push_back(category);
    column->features.push_back(i);
  }
}

void TableEncoder::match_names(const std::vector<std::string>& columns, const std::string& where) {
  std::vector<std::string> missing;
  for (Column& column : columns_) {
    column.place = index_of(columns, column.name);
    if (column.place == columns.size()) missing.push_back(column.name);
  }
  if (missing.empty()) return;
  const std::string near = closest(missing[0], columns);
  fail(ErrorKind::kData, "{}: no column {} (there is: {}){}; the model takes {} columns", where,
       listed(missing), listed(columns),
       near.empty() ? "" : fmt::format(" (is '{}' meant by '{}'?)", missing[0], near),
       columns_.size());
}

// The features of training have no names: the columns are taken in their order.
void TableEncoder::match_places(size_t columns, bool has_header, const ExampleSpec& spec,
                                const std::string& where) {
  if (columns != width_) {
    fail(ErrorKind::kData, "{}: {} columns, but the model takes {} ({} numbers a row)", where,
         columns, describe(spec), width_);
  }
  for (size_t i = 0; i < width_; ++i) {
    columns_.push_back({.name = fmt::format("x{}", i + 1), .place = i, .features = {i}});
  }
  if (has_header) {
    note_ =
        fmt::format("{}: the model knows no column names; columns are taken in their order", where);
  }
}

std::vector<float> TableEncoder::encode(const data::CsvTable& table, size_t row) const {
  std::vector<float> values(width_);
  for (const Column& column : columns_) {
    if (column.categories.empty())
      encode_number(table, row, column, values);
    else
      encode_category(table, row, column, values);
  }
  return values;
}

void TableEncoder::encode_number(const data::CsvTable& table, size_t row, const Column& column,
                                 std::vector<float>& values) const {
  const std::string_view cell = table.cell(row, column.place);
  const size_t feature = column.features[0];
  if (data::is_missing(cell)) {
    if (fill_.size() != width_) {
      fail(ErrorKind::kData,
           "{}: column {} has no value, and the checkpoint does not hold what stands for it",
           table.place(row, column.place), column.name);
    }
    values[feature] = static_cast<float>(fill_[feature]);
    return;
  }
  const std::optional<double> number = data::number_in(cell);
  if (!number || std::abs(*number) > std::numeric_limits<float>::max()) {
    fail(ErrorKind::kData, "{}: '{}' is no number (column {})", table.place(row, column.place),
         cell, column.name);
  }
  values[feature] = static_cast<float>(*number);
}

void TableEncoder::encode_category(const data::CsvTable& table, size_t row, const Column& column,
                                   std::vector<float>& values) const {
  const std::string_view cell = table.cell(row, column.place);
  const std::string_view category = data::is_missing(cell) ? kMissingCategory : cell;
  const size_t index = index_of(column.categories, category);
  if (index == column.categories.size() && data::is_missing(cell)) {
    fail(ErrorKind::kData, "{}: column {} has no value; the model knows {}",
         table.place(row, column.place), column.name, listed(column.categories));
  }
  if (index == column.categories.size()) {
    fail(ErrorKind::kData, "{}: '{}' is no category of {} that the model knows ({})",
         table.place(row, column.place), category, column.name, listed(column.categories));
  }
  values[column.features[index]] = 1;
}

void read_table(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink) {
  const data::CsvTable table = data::read_csv(path);
  const TableEncoder encoder(table.names(), table.has_header(), spec, path);
  if (!encoder.note().empty()) sink.note(encoder.note());
  for (size_t row = 0; row < table.rows(); ++row) {
    try {
      sink.take({path, static_cast<int64_t>(row), encoder.encode(table, row)});
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData) throw;
      sink.refuse(error.what());
    }
  }
}

}  // namespace mica::trainers
