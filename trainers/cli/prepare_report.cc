#include "trainers/cli/prepare_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "data/dataset.h"
#include "trainers/draw/sheet.h"

namespace mica::trainers {
namespace {

constexpr size_t kShownColumns = 20;  // of a table
constexpr size_t kShownExamples = 3;
constexpr size_t kRowsOfClasses = 20;  // as many classes have a row of the sheet each
constexpr int64_t kSheetColumns = 10;
constexpr size_t kSheetPictures = 200;  // of more classes than that

/// The splits that have rows, in the order people think of them.
std::vector<std::string> splits_of(const data::PrepareSummary& summary) {
  std::vector<std::string> splits;
  for (const char* name : {"train", "val", "test"}) {
    if (summary.rows.contains(name)) splits.push_back(name);
  }
  return splits;
}

int64_t sum(const std::vector<int64_t>& counts) {
  int64_t total = 0;
  for (const int64_t count : counts) total += count;
  return total;
}

size_t width_of(const std::vector<std::string>& names, const char* head) {
  size_t width = std::string_view(head).size();
  for (const std::string& name : names) width = std::max(width, name.size());
  return std::min<size_t>(width, 32);
}

void print_classes(const data::PrepareSummary& summary) {
  const std::vector<std::string> splits = splits_of(summary);
  const size_t width = width_of(summary.class_names, "class");
  fmt::print("\n{:<{}}", "class", width);
  for (const std::string& split : splits) fmt::print("  {:>8}       ", split);
  fmt::print("\n");
  const size_t shown =
      summary.class_names.size() > 2 * kShownColumns ? kShownColumns : summary.class_names.size();
  for (size_t c = 0; c < shown; ++c) {
    fmt::print("{:<{}}", summary.class_names[c], width);
    for (const std::string& split : splits) {
      const std::vector<int64_t>& counts = summary.class_counts.at(split);
      fmt::print("  {:>8} {:>5.1f}%", counts[c],
                 100 * static_cast<double>(counts[c]) / static_cast<double>(sum(counts)));
    }
    fmt::print("\n");
  }
  if (shown < summary.class_names.size()) {
    fmt::print("and {} more classes (--report has them)\n", summary.class_names.size() - shown);
  }
  for (const std::string& split : splits) {
    const std::vector<int64_t>& counts = summary.class_counts.at(split);
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    if (*least == *most) continue;
    fmt::print("balance of {}: {} ({}) to {} ({})\n", split, *least,
               summary.class_names[static_cast<size_t>(least - counts.begin())], *most,
               summary.class_names[static_cast<size_t>(most - counts.begin())]);
  }
}

void print_statistics(const data::PrepareSummary& summary) {
  const std::vector<std::string> splits = splits_of(summary);
  const auto found = summary.statistics.find(splits.empty() ? "" : splits[0]);
  if (found == summary.statistics.end()) return;
  const data::SplitStatistics& values = found->second;
  std::vector<std::string> names = summary.feature_names;
  const char* head = summary.dtype == "uint8" ? "channel" : "feature";
  for (size_t i = names.size(); i < values.mean.size(); ++i) names.push_back(fmt::format("{}", i));
  const size_t width = width_of(names, head);
  fmt::print("\n{:<{}}  {:>10}  {:>10}  {:>10}  {:>10}  ({})\n", head, width, "mean", "std", "min",
             "max", splits[0]);
  const size_t shown = std::min(values.mean.size(), kShownColumns);
  for (size_t i = 0; i < shown; ++i) {
    fmt::print("{:<{}}  {:>10.5g}  {:>10.5g}  {:>10.5g}  {:>10.5g}\n", names[i], width,
               values.mean[i], values.std[i], values.min[i], values.max[i]);
  }
  if (shown < values.mean.size()) {
    fmt::print("and {} more (--report has them)\n", values.mean.size() - shown);
  }
}

std::string text_of(const std::vector<data::RowPlace>& places,
                    const std::vector<std::string>& class_names) {
  std::string text;
  for (const data::RowPlace& place : places) {
    text += fmt::format("{}{} {}", text.empty() ? "" : " = ", place.split, place.row);
    if (place.label >= 0) {
      text += fmt::format(" ({})", class_names[static_cast<size_t>(place.label)]);
    }
  }
  return text;
}

void print_duplicates(const data::PrepareSummary& summary) {
  const data::DuplicateReport& found = summary.duplicates;
  if (found.dropped > 0) fmt::print("duplicates: {} rows dropped\n", found.dropped);
  if (found.groups == 0) {
    fmt::print("duplicates: none{}\n", found.dropped > 0 ? " left" : "");
    return;
  }
  fmt::print("duplicates: {} rows repeat the x of another\n", found.extra);
  for (const auto& [split, rows] : found.within) fmt::print("  {} within {}\n", rows, split);
  for (const auto& [splits, rows] : found.shared) {
    const size_t comma = splits.find(", ");
    fmt::print("  {} of {} are in {} as well\n", rows, splits.substr(comma + 2),
               splits.substr(0, comma));
  }
  if (found.contradictions > 0) {
    fmt::print("  {} contradict each other: one x, several y\n", found.contradictions);
  }
  for (size_t i = 0; i < std::min(found.examples.size(), kShownExamples); ++i) {
    fmt::print("  e.g. {}\n", text_of(found.examples[i], summary.class_names));
  }
}

nlohmann::ordered_json json_of(const data::DuplicateReport& found) {
  nlohmann::ordered_json json;
  json["groups"] = found.groups;
  json["extra_rows"] = found.extra;
  json["within"] = found.within;
  json["shared"] = found.shared;
  json["contradictions"] = found.contradictions;
  json["dropped"] = found.dropped;
  json["examples"] = nlohmann::ordered_json::array();
  for (const auto& places : found.examples) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const data::RowPlace& place : places) {
      rows.push_back({{"split", place.split}, {"row", place.row}});
      if (place.label >= 0) rows.back()["label"] = place.label;
    }
    json["examples"].push_back(std::move(rows));
  }
  return json;
}

draw::Picture picture_of(const data::Split& split, size_t row, std::string caption) {
  const Shape shape = split.sample_shape();
  draw::Picture picture = {shape[0], shape[1], shape[2], {}, std::move(caption)};
  const auto values = split.x.as<uint8_t>().subspan(row * split.x.row_bytes(), split.x.row_bytes());
  picture.pixels.assign(values.begin(), values.end());
  return picture;
}

/// The first rows of every class, one class after the other.
std::vector<draw::Picture> pictures_by_class(const data::Split& split,
                                             const std::vector<std::string>& names) {
  const bool row_a_class = names.size() <= kRowsOfClasses;
  const size_t most = row_a_class ? static_cast<size_t>(kSheetColumns)
                                  : std::max<size_t>(1, kSheetPictures / names.size());
  std::vector<std::vector<size_t>> rows(names.size());
  const std::span<const int32_t> labels = split.y.as<int32_t>();
  for (size_t row = 0; row < labels.size(); ++row) {
    std::vector<size_t>& of_class = rows[static_cast<size_t>(labels[row])];
    if (of_class.size() < most) of_class.push_back(row);
  }
  std::vector<draw::Picture> pictures;
  for (size_t label = 0; label < names.size(); ++label) {
    for (const size_t row : rows[label]) pictures.push_back(picture_of(split, row, names[label]));
    // A class of few pictures has its row as well.
    for (size_t i = rows[label].size(); row_a_class && i < most; ++i) {
      draw::Picture blank = picture_of(split, 0, "");
      std::fill(blank.pixels.begin(), blank.pixels.end(), uint8_t{255});
      pictures.push_back(std::move(blank));
    }
  }
  return pictures;
}

std::vector<draw::Picture> pictures_with_targets(const data::Split& split) {
  std::vector<draw::Picture> pictures;
  const auto rows = static_cast<size_t>(split.rows());
  const size_t targets = split.y.size() / rows;
  for (size_t row = 0; row < std::min<size_t>(rows, kSheetPictures / 2); ++row) {
    pictures.push_back(
        picture_of(split, row, fmt::format("{:.4g}", split.y.as<float>()[row * targets])));
  }
  return pictures;
}

}  // namespace

void print_summary(const data::PrepareSummary& summary) {
  std::string rows;
  for (const std::string& split : splits_of(summary)) {
    rows += fmt::format("{}{} {}", rows.empty() ? "" : ", ", summary.rows.at(split), split);
  }
  fmt::print("{}: {}, {} of shape {}, {} ({:.1f} MB)\n", summary.out, rows, summary.dtype,
             to_string(summary.sample_shape), summary.task,
             static_cast<double>(summary.bytes) / 1e6);
  if (!summary.class_names.empty()) print_classes(summary);
  print_statistics(summary);
  fmt::print("\n");
  print_duplicates(summary);
  if (!summary.corrupt.empty()) {
    const data::CorruptFile& first = summary.corrupt[0];
    fmt::print("damaged: {} files left out, e.g. {}: {}\n", summary.corrupt.size(), first.path,
               first.reason);
  }
  fmt::print("split: {}\nsource sha256: {}\n", summary.split_method, summary.source_sha256);
  for (const std::string& note : summary.notes) fmt::print("note: {}\n", note);
}

nlohmann::ordered_json to_json(const data::PrepareSummary& summary) {
  nlohmann::ordered_json json;
  json["out"] = summary.out;
  json["task"] = summary.task;
  json["rows"] = summary.rows;
  json["sample_shape"] =
      std::vector<int64_t>(summary.sample_shape.begin(), summary.sample_shape.end());
  json["dtype"] = summary.dtype;
  json["class_names"] = summary.class_names;
  json["class_counts"] = summary.class_counts;
  json["feature_names"] = summary.feature_names;
  json["target_names"] = summary.target_names;
  json["mean"] = summary.mean;
  json["std"] = summary.std;
  for (const auto& [split, values] : summary.statistics) {
    json["statistics"][split] = {
        {"mean", values.mean}, {"std", values.std}, {"min", values.min}, {"max", values.max}};
  }
  json["duplicates"] = json_of(summary.duplicates);
  json["corrupt"] = nlohmann::ordered_json::array();
  for (const data::CorruptFile& file : summary.corrupt) {
    json["corrupt"].push_back({{"path", file.path}, {"reason", file.reason}});
  }
  json["split_method"] = summary.split_method;
  json["source_sha256"] = summary.source_sha256;
  json["bytes"] = summary.bytes;
  json["notes"] = summary.notes;
  return json;
}

void write_samples(const std::string& png, const std::string& prepared) {
  const auto dataset = data::Dataset::open(prepared);
  const std::string name = dataset->split_names()[0];
  const data::Split& split = dataset->split(name);
  if (split.x.dtype != Dtype::kUint8 || split.sample_shape().size() != 3) {
    fail("--sheet: {} holds no pictures, but {} of shape {}", prepared, split.x.dtype,
         to_string(split.sample_shape()));
  }
  const bool classes = dataset->info().task == data::Task::kClassification;
  const std::vector<draw::Picture> pictures =
      classes ? pictures_by_class(split, dataset->info().class_names)
              : pictures_with_targets(split);
  const auto shown = std::count_if(pictures.begin(), pictures.end(),
                                   [](const draw::Picture& p) { return !p.caption.empty(); });
  draw::write_sheet(png, pictures,
                    {.title = fmt::format("{}: {} of {} pictures in {}", dataset->info().source,
                                          shown, split.rows(), name),
                     .columns = kSheetColumns});
}

}  // namespace mica::trainers
