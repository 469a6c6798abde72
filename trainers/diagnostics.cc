#include "trainers/diagnostics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "core/base/error.h"

namespace mica::trainers {
namespace {

// Damerau-Levenshtein distance in its optimal string alignment form.
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = static_cast<int>(i);
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const int cost = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string Location::text() const {
  return line == 0 ? source : fmt::format("{}:{}:{}", source, line, column);
}

void Diagnostics::add(const Location& at, std::string_view message) {
  std::string line = fmt::format("{}: error: {}", at.text(), message);
  // A value that a repeat block copies is wrong once, not once a copy.
  for (const Entry& entry : entries_) {
    if (entry.line == line) return;
  }
  entries_.push_back({at, std::move(line)});
}

std::vector<std::string> Diagnostics::lines() const {
  std::vector<Entry> sorted = entries_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(a.at.is_override(), a.at.line, a.at.column) <
           std::tuple(b.at.is_override(), b.at.line, b.at.column);
  });
  std::vector<std::string> lines;
  for (Entry& entry : sorted) lines.push_back(std::move(entry.line));
  return lines;
}

void Diagnostics::throw_if_any() const {
  if (entries_.empty()) return;
  std::string text = fmt::format("{}", fmt::join(lines(), "\n"));
  if (entries_.size() > 1) text += fmt::format("\n{} errors", entries_.size());
  throw Error(ErrorKind::kUsage, text);
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  int best = std::min(3, static_cast<int>(word.size()));
  std::string found;
  for (const std::string& candidate : candidates) {
    const int distance = edit_distance(word, candidate);
    if (distance >= best) continue;
    best = distance;
    found = candidate;
  }
  return found;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = closest(word, candidates);
  if (!near.empty()) return fmt::format(" (did you mean '{}'?)", near);
  if (candidates.empty()) return "";
  return fmt::format(" (known: {})", fmt::join(candidates, ", "));
}

}  // namespace mica::trainers
