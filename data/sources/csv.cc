// CSV tables: number and category columns become features, one or more columns the target.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "core/base/error.h"
#include "data/csv.h"
#include "data/row_hash.h"
#include "data/sampler.h"
#include "data/sha256.h"
#include "data/source.h"
#include "data/split.h"

namespace mica::data {
namespace {

constexpr size_t kMaxCategories = 1000;
constexpr size_t kMaxGuessedClasses = 20;
constexpr const char* kMissingCategory = "(missing)";

/// A column by name, or by number from 1.
size_t find_column(const CsvTable& table, const std::string& wanted, const char* option) {
  const auto& names = table.names();
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  size_t number = 0;
  const char* end = wanted.data() + wanted.size();
  const auto parsed = std::from_chars(wanted.data(), end, number);
  const bool is_number = !wanted.empty() && parsed.ec == std::errc() && parsed.ptr == end;
  if (is_number && number >= 1 && number <= names.size()) return number - 1;
  fail(ErrorKind::kUsage, "{}: {} '{}' is no column (there is: {})", table.path(), option, wanted,
       fmt::join(names, ", "));
}

std::set<size_t> find_columns(const CsvTable& table, const std::vector<std::string>& wanted,
                              const char* option) {
  std::set<size_t> columns;
  for (const std::string& name : wanted) columns.insert(find_column(table, name, option));
  return columns;
}

std::vector<size_t> target_columns(const CsvTable& table, const std::vector<std::string>& wanted) {
  if (wanted.empty() && table.has_header()) {
    fail("{}: which column is the target? Give --target NAME (columns: {})", table.path(),
         fmt::join(table.names(), ", "));
  }
  if (wanted.empty()) return {table.columns() - 1};
  std::vector<size_t> columns;
  for (const std::string& name : wanted) columns.push_back(find_column(table, name, "target"));
  return columns;
}

enum class Kind { kNumbers, kCategories, kNothing };

/// A column holds numbers if at least half of its known cells do.
Kind kind_of(const CsvTable& table, size_t column) {
  size_t numbers = 0, texts = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string_view cell = table.cell(row, column);
    if (is_missing(cell)) continue;
    (number_in(cell) ? numbers : texts) += 1;
  }
  if (numbers + texts == 0) return Kind::kNothing;
  return numbers >= texts ? Kind::kNumbers : Kind::kCategories;
}

float number_at(const CsvTable& table, size_t row, size_t column) {
  const std::optional<double> number = number_in(table.cell(row, column));
  if (!number) {
    fail(ErrorKind::kData, "{}: '{}' is no number (column {} holds numbers)",
         table.place(row, column), table.cell(row, column), table.names()[column]);
  }
  if (std::abs(*number) > std::numeric_limits<float>::max()) {
    fail(ErrorKind::kData, "{}: {} is too large for float32", table.place(row, column), *number);
  }
  return static_cast<float>(*number);
}

std::string category_at(const CsvTable& table, size_t row, size_t column) {
  const std::string_view cell = table.cell(row, column);
  return is_missing(cell) ? kMissingCategory : std::string(cell);
}

std::vector<std::string> categories_of(const CsvTable& table, size_t column) {
  std::set<std::string> found;
  for (size_t row = 0; row < table.rows(); ++row) {
    found.insert(category_at(table, row, column));
    if (found.size() > kMaxCategories) {
      fail(ErrorKind::kData,
           "{}: column {} has more than {} different texts; leave it out with --drop {}",
           table.path(), table.names()[column], kMaxCategories, table.names()[column]);
    }
  }
  std::vector<std::string> names(found.begin(), found.end());
  sort_names(names);
  return names;
}

int32_t index_in(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<int32_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// The features of one column of the table, row by row.
struct Feature {
  std::vector<std::string> names;
  std::vector<float> values;  // rows x names.size()
};

Feature number_feature(const CsvTable& table, size_t column) {
  Feature feature = {{table.names()[column]}, {}};
  for (size_t row = 0; row < table.rows(); ++row) {
    const bool missing = is_missing(table.cell(row, column));
    feature.values.push_back(missing ? std::numeric_limits<float>::quiet_NaN()
                                     : number_at(table, row, column));
  }
  return feature;
}

Feature category_feature(const CsvTable& table, size_t column, bool one_hot) {
  const std::vector<std::string> categories = categories_of(table, column);
  Feature feature;
  if (one_hot) {
    for (const std::string& category : categories) {
      feature.names.push_back(table.names()[column] + "=" + category);
    }
    feature.values.resize(table.rows() * categories.size());
  } else {
    feature.names = {table.names()[column]};
  }
  for (size_t row = 0; row < table.rows(); ++row) {
    const int32_t index = index_in(categories, category_at(table, row, column));
    if (one_hot)
      feature.values[row * categories.size() + static_cast<size_t>(index)] = 1;
    else
      feature.values.push_back(static_cast<float>(index));
  }
  return feature;
}

std::vector<Feature> read_features(const CsvTable& table, const PrepareOptions& options,
                                   const std::set<size_t>& left_out, SourceData& data,
                                   const ProgressFunction& progress) {
  const std::set<size_t> categorical = find_columns(table, options.categorical, "categorical");
  std::vector<Feature> features;
  for (size_t column = 0; column < table.columns(); ++column) {
    progress({"reading", static_cast<int64_t>(column), static_cast<int64_t>(table.columns())});
    if (left_out.contains(column)) continue;
    const Kind kind = categorical.contains(column) ? Kind::kCategories : kind_of(table, column);
    if (kind == Kind::kNothing) {
      data.notes.push_back(fmt::format("column {} left out: no values", table.names()[column]));
      continue;
    }
    features.push_back(kind == Kind::kNumbers
                           ? number_feature(table, column)
                           : category_feature(table, column, options.encode == "one_hot"));
  }
  if (features.empty()) fail(ErrorKind::kData, "{}: no feature columns", table.path());
  return features;
}

HostTensor join(const std::vector<Feature>& features, size_t rows, SourceData& data) {
  for (const Feature& feature : features) {
    data.feature_names.insert(data.feature_names.end(), feature.names.begin(), feature.names.end());
  }
  const size_t columns = data.feature_names.size();
  HostTensor x(Dtype::kFloat32, {static_cast<int64_t>(rows), static_cast<int64_t>(columns)});
  float* out = x.as<float>().data();
  for (size_t row = 0; row < rows; ++row) {
    for (const Feature& feature : features) {
      const size_t width = feature.names.size();
      out = std::copy_n(feature.values.begin() + static_cast<ptrdiff_t>(row * width), width, out);
    }
  }
  return x;
}

/// Text, or whole numbers of few values.
bool looks_like_classes(const CsvTable& table, size_t column) {
  if (kind_of(table, column) == Kind::kCategories) return true;
  std::set<double> values;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::optional<double> number = number_in(table.cell(row, column));
    if (!number) continue;
    if (*number != std::floor(*number)) return false;
    values.insert(*number);
    if (values.size() > kMaxGuessedClasses) return false;
  }
  return true;
}

void check_known(const CsvTable& table, size_t column) {
  for (size_t row = 0; row < table.rows(); ++row) {
    if (!is_missing(table.cell(row, column))) continue;
    fail(ErrorKind::kData, "{}: the target is missing (column {})", table.place(row, column),
         table.names()[column]);
  }
}

HostTensor read_labels(const CsvTable& table, size_t column, int64_t classes, SourceData& data) {
  data.class_names = categories_of(table, column);
  const auto found = static_cast<int64_t>(data.class_names.size());
  if (classes > 0 && found > classes) {
    fail(ErrorKind::kData, "{}: column {} has {} classes, wanted {}", table.path(),
         table.names()[column], found, classes);
  }
  HostTensor y(Dtype::kInt32, {static_cast<int64_t>(table.rows())});
  for (size_t row = 0; row < table.rows(); ++row) {
    y.as<int32_t>()[row] = index_in(data.class_names, category_at(table, row, column));
  }
  return y;
}

HostTensor read_targets(const CsvTable& table, const std::vector<size_t>& columns) {
  HostTensor y(Dtype::kFloat32,
               {static_cast<int64_t>(table.rows()), static_cast<int64_t>(columns.size())});
  for (size_t row = 0; row < table.rows(); ++row) {
    for (size_t i = 0; i < columns.size(); ++i) {
      y.as<float>()[row * columns.size() + i] = number_at(table, row, columns[i]);
    }
  }
  return y;
}

/// Of the texts of all cells: numbers for categories depend on the rows around, these do not.
std::vector<uint64_t> cell_hashes(const CsvTable& table) {
  std::vector<uint64_t> hashes;
  for (size_t row = 0; row < table.rows(); ++row) {
    uint64_t hash = 0;
    for (size_t column = 0; column < table.columns(); ++column) {
      const std::string_view cell = table.cell(row, column);
      hash = random_word(hash_bytes(hash, std::as_bytes(std::span(cell))), cell.size());
    }
    hashes.push_back(hash);
  }
  return hashes;
}

/// Puts every row into the split that its cell of the column names.
void split_by_column(const CsvTable& table, size_t column, SourceData& data) {
  std::map<std::string, std::vector<int64_t>> rows;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string_view cell = table.cell(row, column);
    const std::string split = split_called(std::string(cell));
    if (split.empty()) {
      fail(ErrorKind::kData, "{}: '{}' is no split (column {} says train, val or test)",
           table.place(row, column), cell, table.names()[column]);
    }
    rows[split].push_back(static_cast<int64_t>(row));
  }
  const Split all = std::move(data.splits[kUnsplit]);
  data.splits.clear();
  for (const auto& [split, numbers] : rows) data.splits[split] = gather(all, numbers);
}

}  // namespace

SourceData read_csv_source(const PrepareOptions& options, const ProgressFunction& progress) {
  const CsvTable table =
      read_csv(options.path, {.header = options.header, .delimiter = options.delimiter});
  const std::vector<size_t> targets = target_columns(table, options.target);
  SourceData data;
  data.impute = true;
  const bool guessed = options.task == "auto";
  const bool classes = guessed ? targets.size() == 1 && looks_like_classes(table, targets[0])
                               : options.task == "classification";
  if (classes && targets.size() != 1) fail("{}: classes need one target column", options.path);
  data.task = classes ? Task::kClassification : Task::kRegression;
  if (guessed)
    data.notes.push_back(fmt::format("task guessed from the target: {}", name_of(data.task)));
  for (const size_t column : targets) {
    check_known(table, column);
    data.target_names.push_back(table.names()[column]);
  }
  std::set<size_t> left_out = find_columns(table, options.drop, "drop");
  left_out.insert(targets.begin(), targets.end());
  const SplitRequest request = parse_split(options.split);
  std::optional<size_t> split_column;
  if (request.method == SplitRequest::Method::kColumn) {
    split_column = find_column(table, request.column, "split column");
    left_out.insert(*split_column);
  }
  const auto features = read_features(table, options, left_out, data, progress);
  Split& all = data.splits[kUnsplit];
  all.x = join(features, table.rows(), data);
  all.y = classes ? read_labels(table, targets[0], options.classes, data)
                  : read_targets(table, targets);
  if (split_column)
    split_by_column(table, *split_column, data);
  else
    data.row_hashes = cell_hashes(table);
  data.sha256 = sha256_of_file(options.path);
  return data;
}

SourceData read_california_housing_source(const PrepareOptions& options,
                                          const ProgressFunction& progress) {
  PrepareOptions housing = options;
  if (housing.target.empty()) housing.target = {"median_house_value"};
  return read_csv_source(housing, progress);
}

}  // namespace mica::data
