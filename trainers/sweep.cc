#include "trainers/sweep.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "data/sampler.h"
#include "trainers/checks.h"
#include "trainers/compare.h"
#include "trainers/judge/files.h"
#include "trainers/run_folder.h"
#include "trainers/stored_run.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxTrials = 10'000;

// At commas outside of brackets and quotes; the parts without the blanks around them.
std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{' || c == '(') {
      ++depth;
    } else if (c == ']' || c == '}' || c == ')') {
      --depth;
    }
    if (c == ',' && depth == 0 && !quote)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  for (std::string& part : parts) {
    const size_t first = part.find_first_not_of(' ');
    part = first == std::string::npos ? ""
                                      : part.substr(first, part.find_last_not_of(' ') - first + 1);
  }
  return parts;
}

std::pair<std::string, std::string> split_key(const std::string& text, std::string_view form) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    fail("expected {}, got '{}'", form, text);
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

double parse_double(const std::string& text, const std::string& whole) {
  double value = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) {
    fail("'{}': '{}' is no number", whole, text);
  }
  return value;
}

uint64_t hash_text(const std::string& text) {
  uint64_t hash = 0;
  for (const char c : text) hash = data::random_word(hash, static_cast<unsigned char>(c));
  return hash;
}

std::string draw(const RandomAxis& axis, uint64_t seed, uint64_t number) {
  const uint64_t word = data::random_word(seed ^ hash_text(axis.key), number);
  const double u = static_cast<double>(word >> 11) * 0x1p-53;
  switch (axis.kind) {
    case RandomAxis::Kind::kUniform:
      return fmt::format("{:.4g}", axis.low + (axis.high - axis.low) * u);
    case RandomAxis::Kind::kLog:
      return fmt::format("{:.4g}", axis.low * std::pow(axis.high / axis.low, u));
    case RandomAxis::Kind::kInteger: {
      const auto span = static_cast<uint64_t>(axis.high - axis.low) + 1;
      return fmt::format(
          "{}", static_cast<int64_t>(axis.low) + static_cast<int64_t>(data::bounded(word, span)));
    }
    case RandomAxis::Kind::kChoice: return axis.choices[data::bounded(word, axis.choices.size())];
  }
  return "";
}

std::string shown(const std::optional<double>& value) {
  return value ? fmt::format("{:.6g}", *value) : "";
}

TextTable leaderboard(const std::vector<Trial>& trials, const std::vector<TrialResult>& results) {
  std::string metric = "best";
  for (const TrialResult& result : results) {
    if (!result.metric.empty()) metric = result.metric;
  }
  TextTable table{{"rank", "run", "status", metric, "epoch", "seconds"}, {}};
  if (trials.empty()) return table;
  for (const auto& [key, value] : trials[0].values) table.head.push_back(key);
  for (const size_t index : ranking(results)) {
    const TrialResult& result = results[index];
    std::vector<std::string> row = {fmt::format("{}", table.rows.size() + 1),
                                    trial_name(index),
                                    result.status,
                                    shown(result.best),
                                    result.best ? fmt::format("{}", result.best_epoch) : "",
                                    fmt::format("{:.1f}", result.seconds)};
    for (const auto& [key, value] : trials[index].values) row.push_back(value);
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) line += csv_field(cell) + ",";
  line.back() = '\n';
  return line;
}

}  // namespace

GridAxis parse_grid(const std::string& text) {
  const auto [key, values] = split_key(text, "KEY=VALUE,VALUE,...");
  GridAxis axis{key, split_values(values)};
  for (const std::string& value : axis.values) {
    if (value.empty()) fail("'{}': a value is missing", text);
  }
  return axis;
}

RandomAxis parse_random(const std::string& text) {
  constexpr std::string_view kForm =
      "KEY=uniform(LOW,HIGH), log(LOW,HIGH), int(LOW,HIGH) or choice(A,B,...)";
  const auto [key, call] = split_key(text, kForm);
  const size_t open = call.find('(');
  if (open == std::string::npos || !call.ends_with(')')) fail("expected {}, got '{}'", kForm, text);
  const std::string name = call.substr(0, open);
  RandomAxis axis;
  axis.key = key;
  axis.choices = split_values(std::string_view(call).substr(open + 1, call.size() - open - 2));
  if (name == "choice") {
    axis.kind = RandomAxis::Kind::kChoice;
    return axis;
  }
  const bool known = name == "uniform" || name == "log" || name == "int";
  if (!known || axis.choices.size() != 2) fail("expected {}, got '{}'", kForm, text);
  axis.low = parse_double(axis.choices[0], text);
  axis.high = parse_double(axis.choices[1], text);
  if (name == "log") axis.kind = RandomAxis::Kind::kLog;
  if (name == "int") axis.kind = RandomAxis::Kind::kInteger;
  if (!(axis.low < axis.high)) fail("'{}': the first bound must be below the second", text);
  if (name == "log" && !(axis.low > 0)) fail("'{}': log wants bounds above 0", text);
  if (name == "int" && (axis.low != std::floor(axis.low) || axis.high != std::floor(axis.high) ||
                        std::abs(axis.low) > 1e15 || std::abs(axis.high) > 1e15)) {
    fail("'{}': int wants whole numbers", text);
  }
  return axis;
}

std::string Trial::text() const {
  std::string text;
  for (const auto& [key, value] : values) {
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, value);
  }
  return text;
}

std::vector<Trial> make_trials(const SweepSpec& spec) {
  std::vector<Trial> trials(1);
  for (const GridAxis& axis : spec.grid) {
    if (trials.size() * axis.values.size() > kMaxTrials) {
      fail("the grid has more than {} points", kMaxTrials);
    }
    std::vector<Trial> finer;
    for (const Trial& trial : trials) {
      for (const std::string& value : axis.values) {
        finer.push_back(trial);
        finer.back().values.emplace_back(axis.key, value);
      }
    }
    trials = std::move(finer);
  }
  if (spec.random.empty()) return trials;
  if (trials.size() * static_cast<size_t>(spec.draws) > kMaxTrials) {
    fail("the sweep has more than {} runs", kMaxTrials);
  }
  std::vector<Trial> drawn;
  for (int64_t number = 0; number < spec.draws; ++number) {
    for (Trial trial : trials) {
      for (const RandomAxis& axis : spec.random) {
        trial.values.emplace_back(axis.key, draw(axis, spec.seed, static_cast<uint64_t>(number)));
      }
      drawn.push_back(std::move(trial));
    }
  }
  return drawn;
}

TrialResult read_result(const fs::path& folder) {
  TrialResult result;
  if (!fs::exists(RunFolder{folder}.info())) return result;
  try {
    const StoredRun run = read_run(folder);
    result.status = run.info.value("status", "failed");
    for (size_t row = 0; row < run.metrics.rows.size(); ++row) {
      for (size_t i = 0; i < run.metrics.columns.size(); ++i) {
        const double value = run.metrics.rows[row][i];
        const bool counts = run.metrics.columns[i] == "seconds" && std::isfinite(value);
        if (counts && run.metrics.events[row] != "step") result.seconds += value;
      }
    }
    if (!run.summary.contains("best")) return result;
    const auto& best = run.summary["best"];
    result.metric = best.value("monitor", "");
    result.best = best.value("value", 0.0);
    result.best_epoch = best.value("epoch", int64_t{0});
  } catch (const std::exception&) {
    // A folder that was cut off in the middle of writing starts over.
    result.status = "failed";
  }
  return result;
}

std::vector<size_t> ranking(const std::vector<TrialResult>& results) {
  std::vector<size_t> order(results.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const TrialResult &first = results[a], &second = results[b];
    if (!first.best || !second.best) return first.best.has_value() && !second.best;
    return larger_is_better(first.metric) ? *first.best > *second.best : *first.best < *second.best;
  });
  return order;
}

std::string leaderboard_csv(const std::vector<Trial>& trials,
                            const std::vector<TrialResult>& results) {
  const TextTable table = leaderboard(trials, results);
  std::string text = csv_line(table.head);
  for (const std::vector<std::string>& row : table.rows) text += csv_line(row);
  return text;
}

std::string leaderboard_text(const std::vector<Trial>& trials,
                             const std::vector<TrialResult>& results) {
  return aligned(leaderboard(trials, results));
}

std::string trial_name(size_t index) { return fmt::format("{:03}", index + 1); }

}  // namespace mica::trainers
