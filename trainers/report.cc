#include "trainers/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "trainers/progress.h"
#include "trainers/run_charts.h"
#include "trainers/run_folder.h"
#include "trainers/value_charts.h"

namespace mica::trainers {
namespace {

using draw::html_text;
using Json = nlohmann::ordered_json;

constexpr std::string_view kStyle = R"(
:root { color-scheme: light; }
body { margin: 0; background: #f6f8fa; color: #24292f; font: 15px/1.5 system-ui, -apple-system,
  "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 36px 24px 60px; }
h1 { font-size: 27px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 40px 0 14px; }
.about { color: #57606a; margin: 4px 0 24px; }
.badge { display: inline-block; vertical-align: 5px; margin-left: 12px; padding: 1px 11px;
  border-radius: 99px; font-size: 13px; background: #ddf0e6; color: #0b6b45; }
.badge.running { background: #dcebfa; color: #17568c; }
.badge.bad { background: #fbe6d8; color: #a04500; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; }
.card, figure, .box { background: #fff; border: 1px solid #d8dee4; border-radius: 10px; }
.card { padding: 12px 16px; }
.card b { display: block; font-size: 21px; font-weight: 600; white-space: nowrap; }
.card span { color: #57606a; font-size: 13px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr));
  gap: 14px; }
figure { margin: 0; padding: 8px; text-align: center; overflow-x: auto; }
figure svg, figure img { display: block; margin: 0 auto; max-width: 100%; height: auto; }
.box { overflow-x: auto; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr));
  gap: 14px; align-items: start; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 6px 10px; text-align: left; border-top: 1px solid #eaeef2;
  vertical-align: top; overflow-wrap: break-word; }
th:first-child, td:first-child { padding-left: 16px; }
th:last-child, td:last-child { padding-right: 16px; }
tr:first-child th { border-top: 0; color: #57606a; font-weight: 600; font-size: 13px; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { margin: 0; padding: 14px 18px; overflow-x: auto; font: 13px/1.5 ui-monospace,
  "DejaVu Sans Mono", monospace; }
details summary { cursor: pointer; padding: 10px 16px; }
footer { margin-top: 40px; color: #57606a; font-size: 13px; }
)";

// As text, whatever the JSON holds.
std::string plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return value.is_null() ? "" : value.dump();
}

std::string thousands(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, 1, ',');
  return digits;
}

// An object's entry, or null.
Json at(const Json& object, const std::string& key) {
  return object.is_object() && object.contains(key) ? object[key] : Json();
}

std::string badge(const std::string& status) {
  const char* kind = status == "running" ? " running" : status == "done" ? "" : " bad";
  return fmt::format("<span class=\"badge{}\">{}</span>", kind, html_text(status));
}

double total(const MetricsTable& table, const std::string& column) {
  double sum = 0;
  for (const double value : table.series("epoch", "epoch", column).second) sum += value;
  return sum;
}

std::string head(const StoredRun& run) {
  const std::string status = plain(at(run.summary, "status"));
  std::string text = fmt::format("<h1>{}{}</h1>\n<p class=\"about\">", html_text(run.name()),
                                 status.empty() ? "" : badge(status));
  std::vector<std::string> facts;
  const double epoch = run.metrics.last("epoch");
  if (std::isfinite(epoch)) facts.push_back(fmt::format("epoch {:.0f}", epoch));
  const std::string started = plain(at(run.info, "started")), host = plain(at(run.info, "host"));
  if (!started.empty()) facts.push_back("started " + started);
  if (!host.empty()) facts.push_back("on " + host);
  const std::string version = plain(at(run.info, "version"));
  if (!version.empty()) facts.push_back("mica " + version);
  for (size_t i = 0; i < facts.size(); ++i) text += (i == 0 ? "" : " · ") + html_text(facts[i]);
  return text + "</p>\n";
}

std::string card(const std::string& value, const std::string& name) {
  return fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", html_text(value),
                     html_text(name));
}

// The figures that one looks for first.
std::string cards(const StoredRun& run) {
  std::string text;
  const Json test = at(at(run.summary, "scores"), "test");
  const Json best = at(run.summary, "best");
  // The best epoch says it as well.
  const Json val = best.is_object() ? Json() : at(at(run.summary, "scores"), "val");
  for (const auto& [split, scores] : {std::pair("test", test), std::pair("validation", val)}) {
    for (const char* name : {"accuracy", "r2", "loss"}) {
      std::string value = score_text(scores, name);
      if (value.empty()) continue;
      const size_t error = std::min(value.find(" ±"), value.size());
      const std::string shown = std::string(name) == "r2" ? "R²" : name;
      text +=
          card(value.substr(0, error), fmt::format("{} {}{}", split, shown, value.substr(error)));
      break;
    }
  }
  if (best.is_object()) {
    text += card(fmt::format("{:.5g}", best["value"].get<double>()),
                 fmt::format("best {}, epoch {}", plain(best["monitor"]), plain(best["epoch"])));
  }
  const double error = run.metrics.last("weight_error");
  if (std::isfinite(error)) text += card(fmt::format("{:.4g}", error), "distance to true weights");
  const double loss = run.metrics.last("train_loss");
  if (std::isfinite(loss)) text += card(fmt::format("{:.5g}", loss), "training loss");
  double seconds = 0;
  for (const char* part : {"seconds", "validation_seconds", "checkpoint_seconds"}) {
    seconds += total(run.metrics, part);
  }
  if (seconds > 0) text += card(Progress::duration(seconds), "time");
  const double rate = run.metrics.last("samples_per_second");
  if (std::isfinite(rate)) text += card(thousands(rate), "examples per second");
  const Json parameters = at(at(run.summary, "model"), "parameters");
  if (parameters.is_number()) text += card(thousands(parameters.get<double>()), "parameters");
  return fmt::format("<div class=\"cards\">\n{}</div>\n", text);
}

std::string curves(const StoredRun& run) {
  const Json best = at(run.summary, "best");
  const int64_t best_epoch = best.is_object() ? best["epoch"].get<int64_t>() : 0;
  std::string text;
  for (const RunChart& chart : run_charts(run.metrics, best_epoch)) {
    text += html_figure(draw::to_svg(chart.plot));
  }
  const draw::BarChart times = time_chart(run.metrics);
  if (!times.labels.empty()) text += html_figure(draw::to_svg(times));
  if (text.empty()) return "<h2>Curves</h2><p>No step has been done yet.</p>\n";
  return "<h2>Curves</h2>\n<div class=\"plots\">\n" + text + "</div>\n";
}

std::string scores_table(const Json& all) {
  std::vector<std::string> names;
  for (const auto& [split, scores] : all.items()) {
    for (const auto& [name, value] : scores.items()) {
      const bool shown = value.is_number() && name != "n" && name != "accuracy_error";
      if (shown && std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  std::vector<std::string> head = {"split", "examples"};
  head.insert(head.end(), names.begin(), names.end());
  std::vector<std::vector<std::string>> rows;
  for (const auto& [split, scores] : all.items()) {
    std::vector<std::string>& row =
        rows.emplace_back(std::vector{html_text(split), plain(at(scores, "n"))});
    for (const std::string& name : names) row.push_back(score_text(scores, name));
  }
  return html_table(head, rows);
}

std::string class_table(const Json& scores) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& entry : at(scores, "per_class")) {
    const auto number = [&](const char* name) {
      return fmt::format("{:.4f}", entry[name].get<double>());
    };
    rows.push_back({html_text(plain(entry["class"])), number("precision"), number("recall"),
                    number("f1"), plain(entry["support"])});
  }
  return rows.empty() ? "" : html_table({"class", "precision", "recall", "F1", "examples"}, rows);
}

std::vector<double> numbers(const Json& list) {
  std::vector<double> values;
  for (const Json& value : list) values.push_back(value.is_number() ? value.get<double>() : NAN);
  return values;
}

// Predictions and errors of regression.
std::string points(const std::string& split, const Json& scores) {
  std::vector<TargetPoints> targets;
  for (const Json& entry : at(scores, "points")) {
    targets.push_back({plain(at(entry, "target")), numbers(at(entry, "truth")),
                       numbers(at(entry, "prediction"))});
    const size_t count = std::min(targets.back().truth.size(), targets.back().prediction.size());
    targets.back().truth.resize(count);
    targets.back().prediction.resize(count);
  }
  const Json r2 = at(scores, "r2"), mae = at(scores, "mae");
  if (targets.empty() || !r2.is_number() || !mae.is_number()) return "";
  ValueCharts charts = value_charts(split, targets, r2.get<double>(), mae.get<double>());
  // Side by side, they are of one height.
  charts.predicted.size = charts.residuals.size;
  return "<h2>Predictions</h2>\n<div class=\"plots\">\n" +
         html_figure(draw::to_svg(charts.predicted)) + html_figure(draw::to_svg(charts.residuals)) +
         "</div>\n";
}

std::string scores(const StoredRun& run) {
  const Json all = at(run.summary, "scores");
  if (!all.is_object() || all.empty()) return "";
  std::string text = "<h2>Scores</h2>\n" + scores_table(all);
  const std::string split = all.contains("test") ? "test" : all.begin().key();
  text += points(split, all[split]);
  draw::HeatMap map = confusion_map(all[split]);
  if (map.rows.empty()) return text;
  map.title = "Confusion matrix, " + split;
  return text + "<h2>Classes</h2>\n<div class=\"side\">\n" + html_figure(draw::to_svg(map)) +
         class_table(all[split]) + "</div>\n";
}

std::string examples(const StoredRun& run) {
  const std::filesystem::path png = RunFolder{run.folder}.plots() / "samples.png";
  if (!std::filesystem::exists(png)) return "";
  return fmt::format(
      "<h2>Examples</h2>\n<figure><img alt=\"training examples\" src=\"{}\"></figure>\n",
      draw::png_uri(read_text(png)));
}

std::string layers(const StoredRun& run) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& layer : at(at(run.summary, "model"), "layers")) {
    rows.push_back({html_text(plain(layer["name"])), html_text(plain(layer["type"])),
                    html_text(plain(layer["output"])), thousands(layer["parameters"].get<double>()),
                    thousands(layer["flops"].get<double>())});
  }
  if (rows.empty()) return "";
  return "<h2>Model</h2>\n" +
         html_table({"", "layer", "output", "parameters", "FLOPs an example"}, rows, 3);
}

std::string facts_table(const Json& facts) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : facts.items()) {
    rows.push_back({html_text(name), html_text(plain(value))});
  }
  return html_table({"", ""}, rows, 2);
}

std::string data(const StoredRun& run) {
  const Json facts = at(run.summary, "data");
  return facts.is_object() ? "<h2>Data</h2>\n" + facts_table(facts) : "";
}

std::string machine(const StoredRun& run) {
  Json facts = at(run.summary, "machine");
  if (!facts.is_object()) return "";
  facts["threads"] = at(run.info, "threads");
  return "<h2>Machine and versions</h2>\n" + facts_table(facts);
}

std::string repetition(const StoredRun& run) {
  const std::string config = RunFolder{run.folder}.config().string();
  std::string text =
      fmt::format("mica train {} --out {}-again\n", config, run.folder.lexically_normal().string());
  const std::string command = plain(at(run.info, "command"));
  return fmt::format(
      "<h2>Repeat</h2>\n<p>The same weights, bit for bit, with any number of threads:</p>\n"
      "<div class=\"box\"><pre>{}</pre></div>\n<p>It was started as:</p>\n"
      "<div class=\"box\"><pre>{}</pre></div>\n"
      "<h2>Config</h2>\n<div class=\"box\"><pre>{}</pre></div>\n",
      html_text(text), html_text(command), html_text(run.config_text));
}

}  // namespace

std::string report_page(const StoredRun& run) {
  return html_page(run.name(), head(run) + cards(run) + curves(run) + scores(run) + examples(run) +
                                   layers(run) + data(run) + repetition(run) + machine(run));
}

std::string html_page(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}"
      "<footer>Written by mica {}.</footer>\n</main>\n</body>\n</html>\n",
      html_text(draw::clean_text(title)), kStyle, body, MICA_VERSION);
}

std::string html_table(const std::vector<std::string>& head,
                       const std::vector<std::vector<std::string>>& rows, size_t numbers) {
  std::string text = "<div class=\"box\"><table>\n";
  const auto add = [&](const std::vector<std::string>& cells, const char* tag) {
    text += "<tr>";
    for (size_t i = 0; i < cells.size(); ++i) {
      text += fmt::format("<{0}{1}>{2}</{0}>", tag, i >= numbers ? " class=\"n\"" : "", cells[i]);
    }
    text += "</tr>\n";
  };
  const bool named =
      std::any_of(head.begin(), head.end(), [](const std::string& name) { return !name.empty(); });
  if (named) add(head, "th");
  for (const std::vector<std::string>& row : rows) add(row, "td");
  return text + "</table></div>\n";
}

std::string html_figure(const std::string& svg) { return "<figure>" + svg + "</figure>\n"; }

draw::HeatMap confusion_map(const Json& scores) {
  draw::HeatMap map{.title = "Confusion matrix",
                    .row_title = "truth",
                    .column_title = "prediction",
                    .confusion = true};
  const Json confusion = at(scores, "confusion");
  if (!confusion.is_array()) return map;
  for (const Json& entry : at(scores, "per_class")) map.rows.push_back(plain(entry["class"]));
  map.columns = map.rows;
  for (const Json& row : confusion) {
    for (const Json& count : row) map.values.push_back(count.get<double>());
  }
  return map;
}

std::string score_text(const Json& scores, const std::string& name) {
  const Json value = at(scores, name);
  if (!value.is_number()) return "";
  const bool share = name == "accuracy" || name.starts_with("top");
  std::string text = fmt::format("{:.{}}", value.get<double>(), 5);
  if (share) text = fmt::format("{:.4f}", value.get<double>());
  const Json error = at(scores, name + "_error");
  if (error.is_number()) text += fmt::format(" ± {:.4f}", error.get<double>());
  return text;
}

}  // namespace mica::trainers
