#include "trainers/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/image.h"
#include "trainers/config.h"
#include "trainers/progress.h"
#include "trainers/report.h"
#include "trainers/run_charts.h"

namespace mica::trainers {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> names_of(const std::vector<StoredRun>& runs) {
  std::vector<std::string> names;
  for (const StoredRun& run : runs) names.push_back(run.name());
  if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;
  names.clear();
  for (const StoredRun& run : runs) names.push_back(run.folder.lexically_normal().string());
  return names;
}

// An entry of nested objects, or null.
Json entry(const Json& json, std::initializer_list<const char*> path) {
  Json at = json;
  for (const char* key : path) {
    if (!at.is_object() || !at.contains(key)) return {};
    at = Json(at[key]);
  }
  return at;
}

std::string number(const Json& value, const char* format) {
  return value.is_number() ? fmt::format(fmt::runtime(format), value.get<double>()) : "";
}

std::string last(const StoredRun& run, const char* column, const char* format) {
  const double value = run.metrics.last(column);
  return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "";
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

std::string time_of(const StoredRun& run) {
  double seconds = 0;
  for (const char* part : {"seconds", "validation_seconds", "checkpoint_seconds"}) {
    for (const double value : run.metrics.series("epoch", "epoch", part).second) seconds += value;
  }
  return seconds > 0 ? Progress::duration(seconds) : "";
}

// Name and value of each figure, the same names for every run.
std::vector<std::pair<std::string, std::string>> figures_of(const StoredRun& run) {
  const Json best = entry(run.summary, {"best"});
  const Json test = entry(run.summary, {"scores", "test"});
  return {{"status", text_of(entry(run.summary, {"status"}))},
          {"epochs", last(run, "epoch", "{:.0f}")},
          {"monitor", text_of(entry(best, {"monitor"}))},
          {"best", number(entry(best, {"value"}), "{:.5g}")},
          {"at epoch", number(entry(best, {"epoch"}), "{:.0f}")},
          {"test accuracy", score_text(test, "accuracy")},
          {"test R²", score_text(test, "r2")},
          {"test loss", score_text(test, "loss")},
          {"val loss", last(run, "val_loss", "{:.5g}")},
          {"train loss", last(run, "train_loss", "{:.5g}")},
          {"distance", last(run, "weight_error", "{:.4g}")},
          {"time", time_of(run)},
          {"samples/s", last(run, "samples_per_second", "{:.0f}")},
          {"parameters", number(entry(run.summary, {"model", "parameters"}), "{:.0f}")}};
}

TextTable figures(const std::vector<StoredRun>& runs, const std::vector<std::string>& names) {
  std::vector<std::vector<std::pair<std::string, std::string>>> all;
  for (const StoredRun& run : runs) all.push_back(figures_of(run));
  TextTable table{{"run"}, {}};
  for (const std::string& name : names) table.rows.push_back({name});
  for (size_t i = 0; i < all[0].size(); ++i) {
    const bool any = std::any_of(all.begin(), all.end(),
                                 [&](const auto& list) { return !list[i].second.empty(); });
    if (!any) continue;
    table.head.push_back(all[0][i].first);
    for (size_t run = 0; run < all.size(); ++run) table.rows[run].push_back(all[run][i].second);
  }
  return table;
}

// The value of a key as differing_keys names it ("model[2].conv2d.out"); null if there is none.
const Value* value_at(const Value& root, std::string_view key) {
  const Value* value = &root;
  while (!key.empty() && value != nullptr) {
    if (key.starts_with('[')) {
      const size_t end = key.find(']');
      const auto index = static_cast<size_t>(std::stoul(std::string(key.substr(1, end - 1))));
      value = index < value->items.size() ? &value->items[index] : nullptr;
      key.remove_prefix(end + 1);
    } else {
      const size_t end = std::min(key.find_first_of(".["), key.size());
      value = value->find(key.substr(0, end));
      key.remove_prefix(end);
    }
    if (key.starts_with('.')) key.remove_prefix(1);
  }
  return value;
}

// "conv2d, relu, flatten" for a list of layers, with the names of those that have one.
std::string outline(const Value& list) {
  std::string text;
  for (const Value& item : list.items) {
    const Value* name = item.is_map() ? item.find("name") : nullptr;
    text += text.empty() ? "" : ", ";
    if (name != nullptr) {
      text += name->text;
    } else {
      text += item.is_map() && !item.entries.empty() ? item.entries[0].key : item.text;
    }
  }
  return text;
}

std::string text_of(const Value* value) {
  if (value == nullptr) return "";
  if (value->is_list()) return outline(*value);
  std::string text = value->is_scalar() ? value->text : to_yaml(*value);
  while (text.ends_with('\n')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// The first list that a key leads through: "model" of "model[2].conv2d.out".
std::string list_of(const std::string& key) {
  const size_t bracket = key.find('[');
  return bracket == std::string::npos ? "" : key.substr(0, bracket);
}

// Lists that differ in many places, or are not there at all in one of the runs, are other lists:
// one key stands for all of theirs.
std::vector<std::string> gathered(const std::vector<std::string>& keys) {
  constexpr int64_t kMany = 6;
  std::map<std::string, int64_t> counts;
  for (const std::string& key : keys) {
    ++counts[list_of(key)];
    counts[key] += kMany + 1;
  }
  std::vector<std::string> result;
  for (const std::string& key : keys) {
    const std::string list = list_of(key);
    const std::string& shown = !list.empty() && counts[list] > kMany ? list : key;
    if (std::find(result.begin(), result.end(), shown) == result.end()) result.push_back(shown);
  }
  return result;
}

std::vector<std::string> all_differing_keys(const std::vector<StoredRun>& runs) {
  std::vector<std::string> keys;
  for (size_t i = 1; i < runs.size(); ++i) {
    for (const std::string& key : differing_keys(runs[0].config, runs[i].config)) {
      if (key != "name" && std::find(keys.begin(), keys.end(), key) == keys.end()) {
        keys.push_back(key);
      }
    }
  }
  return keys;
}

TextTable differences(const std::vector<StoredRun>& runs, const std::vector<std::string>& names) {
  TextTable table{{"key"}, {}};
  table.head.insert(table.head.end(), names.begin(), names.end());
  for (const std::string& key : gathered(all_differing_keys(runs))) {
    std::vector<std::string>& row = table.rows.emplace_back(std::vector{key});
    for (const StoredRun& run : runs) row.push_back(text_of(value_at(run.config, key)));
    // What is null in one and missing in the others looks the same, and means it.
    if (std::all_of(row.begin() + 1, row.end(), [](const auto& cell) { return cell.empty(); })) {
      table.rows.pop_back();
    }
  }
  return table;
}

std::vector<RunChart> charts_of(const std::vector<StoredRun>& runs,
                                const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, const MetricsTable*>> tables;
  for (size_t i = 0; i < runs.size(); ++i) tables.emplace_back(names[i], &runs[i].metrics);
  return compare_charts(tables);
}

std::string html(const TextTable& table, size_t numbers) {
  TextTable escaped = table;
  for (std::string& cell : escaped.head) cell = draw::html_text(cell);
  for (auto& row : escaped.rows) {
    for (std::string& cell : row) cell = draw::html_text(cell);
  }
  return html_table(escaped.head, escaped.rows, numbers);
}

// Columns as a terminal shows them, for letters that take several bytes.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

// What fits into a column.
std::string shortened(const std::string& text) {
  constexpr size_t kWidest = 60;
  if (width_of(text) <= kWidest) return text;
  size_t bytes = 0, letters = 0;
  while (letters + 1 < kWidest || (static_cast<uint8_t>(text[bytes]) & 0xc0) == 0x80) {
    letters += (static_cast<uint8_t>(text[bytes]) & 0xc0) != 0x80 ? 1 : 0;
    ++bytes;
  }
  return text.substr(0, bytes) + "…";
}

}  // namespace

Comparison compare(const std::vector<StoredRun>& runs) {
  const std::vector<std::string> names = names_of(runs);
  return {names, figures(runs, names), differences(runs, names)};
}

std::string compare_page(const std::vector<StoredRun>& runs) {
  const Comparison comparison = compare(runs);
  std::string body = fmt::format("<h1>{} runs</h1>\n<p class=\"about\"></p>\n", runs.size());
  body += html(comparison.figures, 2);
  body += "<h2>What differs in the configs</h2>\n";
  body += comparison.differences.rows.empty() ? "<p>Nothing but the names.</p>\n"
                                              : html(comparison.differences, 99);
  body += "<h2>Curves</h2>\n<div class=\"plots\">\n";
  for (const RunChart& chart : charts_of(runs, comparison.names)) {
    body += html_figure(draw::to_svg(chart.plot));
  }
  return html_page(fmt::format("{} runs", runs.size()), body + "</div>\n");
}

std::string compare_png(const std::vector<StoredRun>& runs) {
  const std::vector<RunChart> charts = charts_of(runs, names_of(runs));
  if (charts.empty()) return draw::to_png(draw::Plot{.title = "No curves yet"});
  const draw::Size size = draw::size_of(charts[0].plot);
  const size_t columns = std::min<size_t>(charts.size(), 2);
  const size_t rows = (charts.size() + columns - 1) / columns;
  const std::unique_ptr<draw::Canvas> canvas = draw::png_canvas(
      {size.width * static_cast<double>(columns), size.height * static_cast<double>(rows)});
  for (size_t i = 0; i < charts.size(); ++i) {
    const std::string png = draw::to_png(charts[i].plot);
    const data::Pixels pixels = data::decode_png(std::as_bytes(std::span(png)), charts[i].name);
    canvas->picture({size.width * static_cast<double>(i % columns),
                     size.height * static_cast<double>(i / columns), size.width, size.height},
                    {pixels.height, pixels.width, pixels.channels, pixels.bytes});
  }
  return canvas->finish();
}

Json compare_json(const std::vector<StoredRun>& runs) {
  const Comparison comparison = compare(runs);
  Json json = {{"runs", Json::array()}, {"differences", Json::object()}};
  for (size_t i = 0; i < runs.size(); ++i) {
    const Json scores = entry(runs[i].summary, {"scores"});
    json["runs"].push_back({{"name", comparison.names[i]},
                            {"folder", runs[i].folder.string()},
                            {"status", entry(runs[i].summary, {"status"})},
                            {"best", entry(runs[i].summary, {"best"})},
                            {"scores", Json::object()}});
    for (const auto& [split, values] : scores.items()) {
      for (const auto& [name, value] : values.items()) {
        if (value.is_number()) json["runs"].back()["scores"][split][name] = value;
      }
    }
  }
  for (const std::string& key : all_differing_keys(runs)) {
    for (const StoredRun& run : runs) {
      json["differences"][key].push_back(text_of(value_at(run.config, key)));
    }
  }
  return json;
}

std::string aligned(const TextTable& whole) {
  TextTable table = whole;
  for (auto& row : table.rows) {
    for (std::string& cell : row) cell = shortened(cell);
  }
  std::vector<size_t> widths;
  for (size_t i = 0; i < table.head.size(); ++i) {
    size_t width = width_of(table.head[i]);
    for (const auto& row : table.rows) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  std::string text;
  const auto add = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      line += cells[i] + std::string(widths[i] - width_of(cells[i]) + 2, ' ');
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add(table.head);
  for (const auto& row : table.rows) add(row);
  return text;
}

}  // namespace mica::trainers
