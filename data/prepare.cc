#include "data/prepare.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <mutex>

#include "core/base/error.h"
#include "data/catalogue.h"
#include "data/duplicates.h"
#include "data/fetch.h"
#include "data/prepared_file.h"
#include "data/source.h"
#include "data/split.h"
#include "data/statistics.h"

namespace mica::data {
namespace {

void check_choice(const char* name, const std::string& value,
                  std::initializer_list<const char*> choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  fail("{} '{}' is unknown, wanted {}", name, value, fmt::join(choices, ", "));
}

/// Everything that can be known to be wrong before anything is read.
void check_options(const PrepareOptions& options) {
  find_source(options.source);
  check_choice("task", options.task, {"auto", "classification", "regression"});
  check_choice("header", options.header, {"auto", "yes", "no"});
  check_choice("encode", options.encode, {"one_hot", "codes"});
  check_choice("layout", options.layout, {"auto", "nhwc", "nchw"});
  check_choice("labels", options.labels, {"fine", "coarse"});
  if (options.channels < 0 || options.channels == 2 || options.channels > 4) {
    fail("channels {}, wanted 1, 3 or 4, or 0 to find out", options.channels);
  }
  if (options.classes < 0) fail("classes {}, wanted at least 1, or 0 to find out", options.classes);
  if (options.path.empty() && find_in_catalogue(options.source) == nullptr) {
    fail("no source path given (--source PATH)");
  }
  if (parse_split(options.split).method == SplitRequest::Method::kColumn &&
      options.source != "csv" && options.source != "california-housing") {
    fail("split '{}': only a CSV file has columns (source csv)", options.split);
  }
  if (options.out.empty()) fail("no output file given (--out FILE)");
  if (!options.path.empty() && !std::filesystem::exists(options.path)) {
    fail(ErrorKind::kData, "{}: no such file or folder", options.path);
  }
  const std::filesystem::path folder = std::filesystem::path(options.out).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    fail(ErrorKind::kData, "{}: cannot write: there is no folder {}", options.out, folder.string());
  }
}

/// The options with a path, and a note where it came from.
PrepareOptions with_path(PrepareOptions options, const ProgressFunction& progress,
                         std::string& note) {
  if (!options.path.empty()) return options;
  FetchOptions how = {options.cache, options.offline, {}};
  if (!options.mirror.empty()) how.mirrors.push_back(options.mirror);
  const CatalogueEntry& entry = *find_in_catalogue(options.source);
  const Fetched files = fetch(entry, how, progress);
  // A single file is what the source reads; several are found by name.
  options.path = files.folder;
  if (entry.files.size() == 1) options.path += "/" + entry.files[0].name;
  note = files.downloaded > 0 ? fmt::format("downloaded into {}", files.folder)
                              : fmt::format("files from {}", files.folder);
  return options;
}

/// The place of a value of x, in words.
std::string place_of(const SourceData& data, const Split& split, size_t index) {
  const size_t values = split.x.bytes.size() / sizeof(float) / static_cast<size_t>(split.rows());
  const size_t column = index % values;
  const std::string name = column < data.feature_names.size() ? data.feature_names[column]
                                                              : fmt::format("feature {}", column);
  return fmt::format("row {}, {}", index / values, name);
}

double median(std::vector<float>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (static_cast<double>(*middle) + *std::max_element(values.begin(), middle)) / 2;
}

/// Fills missing values with the median of the training split (of all rows if there is none). The
/// result has what each feature is filled with, missing or not: later rows may lack others.
std::vector<double> impute(SourceData& data) {
  const bool has_training = data.splits.contains("train") && data.splits["train"].rows() > 0;
  const size_t columns = data.feature_names.size();
  std::vector<double> fill;
  for (size_t column = 0; column < columns; ++column) {
    std::vector<float> known;
    int64_t missing = 0;
    for (const auto& [name, split] : data.splits) {
      const std::span<const float> x = split.x.as<float>();
      for (size_t i = column; i < x.size(); i += columns) {
        if (std::isnan(x[i]))
          ++missing;
        else if (!has_training || name == "train")
          known.push_back(x[i]);
      }
    }
    const double value = known.empty() ? 0 : median(known);
    fill.push_back(value);
    if (missing == 0) continue;
    for (auto& [name, split] : data.splits) {
      const std::span<float> x = split.x.as<float>();
      for (size_t i = column; i < x.size(); i += columns) {
        if (std::isnan(x[i])) x[i] = static_cast<float>(value);
      }
    }
    data.notes.push_back(fmt::format("{}: {} missing values filled with {} (the {} median)",
                                     data.feature_names[column], missing, value,
                                     has_training ? "training" : "overall"));
  }
  return fill;
}

void check_values(const SourceData& data, const std::string& path) {
  for (const auto& [name, split] : data.splits) {
    if (split.x.dtype != Dtype::kFloat32) continue;
    const std::span<const float> x = split.x.as<float>();
    const auto bad = std::find_if(x.begin(), x.end(), [](float v) { return !std::isfinite(v); });
    if (bad == x.end()) continue;
    fail(ErrorKind::kData, "{}: {} in {} of split '{}'", path, *bad,
         place_of(data, split, static_cast<size_t>(bad - x.begin())), name);
  }
}

void check_not_empty(const SourceData& data, const std::string& path) {
  int64_t rows = 0;
  for (const auto& [name, split] : data.splits) rows += split.rows();
  if (rows == 0) fail(ErrorKind::kData, "{}: the data set is empty", path);
  const Split& first = data.splits.begin()->second;
  for (const auto& [name, split] : data.splits) {
    if (split.sample_shape() == first.sample_shape() && split.x.dtype == first.x.dtype) continue;
    fail(ErrorKind::kData, "{}: rows of shape {} in one split and {} in another", path,
         to_string(first.sample_shape()), to_string(split.sample_shape()));
  }
}

void count_classes(PrepareSummary& summary, const SourceData& data) {
  for (const auto& [name, split] : data.splits) {
    if (split.rows() == 0) continue;
    std::vector<int64_t>& counts = summary.class_counts[name];
    counts.resize(data.class_names.size());
    for (const int32_t label : split.y.as<int32_t>()) ++counts[static_cast<size_t>(label)];
  }
  const auto train = summary.class_counts.find("train");
  if (train == summary.class_counts.end()) return;
  for (size_t c = 0; c < train->second.size(); ++c) {
    if (train->second[c] > 0) continue;
    summary.notes.push_back(
        fmt::format("class '{}' has no example in the training split", data.class_names[c]));
  }
}

PrepareSummary summarize(const PrepareOptions& options, const SourceData& data,
                         const DatasetInfo& info) {
  PrepareSummary summary;
  summary.out = options.out;
  summary.task = name_of(data.task);
  for (const auto& [name, split] : data.splits) {
    if (split.rows() > 0) summary.rows[name] = split.rows();
  }
  for (const auto& [name, split] : data.splits) {
    if (split.x.size() > 0) summary.statistics[name] = statistics_of(split.x);
  }
  summary.duplicates = find_duplicates(data.splits);
  summary.corrupt = data.corrupt;
  const Split& any = data.splits.begin()->second;
  summary.sample_shape = any.sample_shape();
  summary.dtype = name_of(any.x.dtype);
  summary.class_names = info.class_names;
  summary.feature_names = info.feature_names;
  summary.target_names = info.target_names;
  summary.mean = info.mean;
  summary.std = info.std;
  summary.split_method = info.split_method;
  summary.source_sha256 = info.source_sha256;
  summary.notes = data.notes;
  if (data.task == Task::kClassification) count_classes(summary, data);
  summary.bytes = static_cast<int64_t>(std::filesystem::file_size(options.out));
  return summary;
}

}  // namespace

PrepareSummary prepare(const PrepareOptions& given, const ProgressFunction& progress) {
  check_options(given);
  const SplitRequest request = parse_split(given.split);
  std::mutex one_at_a_time;
  const ProgressFunction report = [&](const PrepareProgress& state) {
    const std::scoped_lock lock(one_at_a_time);
    if (progress) progress(state);
  };
  std::string note;
  const PrepareOptions options = with_path(given, report, note);
  SourceData data = find_source(options.source).read(options, report);
  if (!note.empty()) data.notes.insert(data.notes.begin(), note);
  check_not_empty(data, options.path);
  const int64_t dropped = options.drop_duplicates ? drop_duplicates(data) : 0;

  report({"splitting", 0, 0});
  DatasetInfo info;
  info.split_method = apply_split(data, request, options.stratify, options.seed);
  if (data.impute) info.fill = impute(data);
  check_values(data, options.path);
  info.task = data.task;
  info.class_names = data.class_names;
  info.feature_names = data.feature_names;
  info.target_names = data.target_names;
  info.source = options.source;
  info.source_sha256 = data.sha256;
  info.seed = static_cast<int64_t>(options.seed);
  const auto train = data.splits.find("train");
  if (train != data.splits.end() && train->second.rows() > 0) set_statistics(info, train->second);

  report({"writing", 0, 0});
  write_prepared(options.out, info, data.splits);
  PrepareSummary summary = summarize(options, data, info);
  summary.duplicates.dropped = dropped;
  return summary;
}

}  // namespace mica::data
