#include "trainers/yaml_problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <vector>

namespace mica::trainers {
namespace {

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The line without its comment, and with the insides of quotes blanked out.
std::string bare(std::string_view line) {
  std::string text(line);
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quote) {
      if (text[i] == quote) {
        quote = 0;
        continue;
      }
      const bool escapes = text[i] == '\\' && quote == '"' && i + 1 < text.size();
      text[i] = ' ';
      if (escapes) text[++i] = ' ';
    } else if (text[i] == '#' && (i == 0 || text[i - 1] == ' ')) {
      return text.substr(0, i);
    } else if ((text[i] == '"' || text[i] == '\'') && (i == 0 || !is_word(text[i - 1]))) {
      quote = text[i];
    }
  }
  return text;
}

using Finding = std::optional<YamlProblem>;

Finding tab(std::string_view line, int number) {
  const size_t first = line.find_first_not_of(" \t");
  const size_t at = line.find('\t');
  if (at == std::string_view::npos || at > first) return {};
  return YamlProblem{number, static_cast<int>(at) + 1,
                     "a tab in the indentation; YAML wants blanks there"};
}

// "epochs:5" and "- linear:10".
Finding missing_blank(const std::string& line, int number) {
  size_t begin = line.find_first_not_of(" -{[,");
  while (begin != std::string::npos) {
    size_t end = begin;
    while (end < line.size() && is_word(line[end])) ++end;
    if (end > begin && end + 1 < line.size() && line[end] == ':' &&
        (is_word(line[end + 1]) ||
         std::string_view("[{\"'.-").find(line[end + 1]) != std::string_view::npos)) {
      const size_t stop = std::min(line.find_first_of(" ,]}", end), line.size());
      return YamlProblem{
          number, static_cast<int>(end) + 1,
          fmt::format("a blank is missing after ':' in '{}'", line.substr(begin, stop - begin))};
    }
    begin = line.find_first_of("{,", end);
    if (begin != std::string::npos) begin = line.find_first_not_of(" -{[,", begin);
  }
  return {};
}

// "epochs 5" or "epochs = 5" on a line of its own.
Finding missing_colon(const std::string& line, int number) {
  const size_t begin = line.find_first_not_of(" -");
  if (begin == std::string::npos || line.find(':') != std::string::npos) return {};
  size_t end = begin;
  while (end < line.size() && is_word(line[end])) ++end;
  const size_t next = line.find_first_not_of(" =", end);
  if (end == begin || next == std::string::npos || next == end || line[begin] == '[') return {};
  return YamlProblem{number, static_cast<int>(end) + 1,
                     fmt::format("a ':' is missing after '{}'", line.substr(begin, end - begin))};
}

// "name: a: b".
Finding second_colon(const std::string& line, int number) {
  if (line.find_first_of("{[") != std::string::npos) return {};
  const size_t first = line.find(": ");
  const size_t second = first == std::string::npos ? first : line.find(": ", first + 1);
  if (second == std::string::npos) return {};
  return YamlProblem{number, static_cast<int>(second) + 1,
                     "a second ':' on the line; quote the value if it holds ': '"};
}

size_t indentation(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// A line that is indented deeper than, or not as deep as, the lines that it belongs to.
Finding indented(const std::vector<std::string>& lines, int number) {
  const std::string& line = lines[static_cast<size_t>(number) - 1];
  const size_t own = indentation(line);
  if (own == line.size()) return {};
  for (int i = number - 1; i >= 1; --i) {
    const std::string& above = lines[static_cast<size_t>(i) - 1];
    const size_t theirs = indentation(above);
    if (theirs == above.size()) continue;
    if (theirs == own) return {};
    const std::string message =
        theirs < own ? fmt::format("indented deeper than line {}, which has a value already", i)
                     : fmt::format("indented by {} blanks, which fits no line above", own);
    return YamlProblem{number, static_cast<int>(own) + 1, message};
  }
  return {};
}

// The last bracket that was opened and not closed.
Finding unclosed(const std::vector<std::string>& lines) {
  std::vector<std::pair<char, YamlProblem>> open;
  for (size_t i = 0; i < lines.size(); ++i) {
    for (size_t column = 0; column < lines[i].size(); ++column) {
      const char c = lines[i][column];
      const YamlProblem here{static_cast<int>(i) + 1, static_cast<int>(column) + 1, ""};
      if (c == '{' || c == '[') {
        open.emplace_back(c, here);
      } else if (c == '}' || c == ']') {
        const char wanted = c == '}' ? '{' : '[';
        if (open.empty()) {
          return YamlProblem{
              here.line, here.column,
              fmt::format("'{}' closes nothing; the '{}' before it is missing", c, wanted)};
        }
        if (open.back().first != wanted) {
          return YamlProblem{
              here.line, here.column,
              fmt::format("'{}' closes the '{}' of line {}; '{}' was wanted", c, open.back().first,
                          open.back().second.line, open.back().first == '{' ? '}' : ']')};
        }
        open.pop_back();
      }
    }
  }
  if (open.empty()) return {};
  YamlProblem problem = open.back().second;
  problem.message = fmt::format("the '{}' opened here is never closed", open.back().first);
  return problem;
}

Finding special_start(const std::vector<std::string_view>& lines, int line, int column,
                      const std::string& reason) {
  const std::string_view text = lines[static_cast<size_t>(line) - 1];
  if (column < 1 || static_cast<size_t>(column) > text.size()) return {};
  const char c = text[static_cast<size_t>(column) - 1];
  const bool special = std::string_view("*&%@`").find(c) != std::string_view::npos;
  if (!special || (reason.find("token") == std::string::npos && c != '*')) return {};
  return YamlProblem{line, column, fmt::format("a value that starts with '{}' needs quotes", c)};
}

}  // namespace

YamlProblem explain_yaml(const std::string& text, int line, int column, const std::string& reason) {
  const YamlProblem plain{std::max(line, 1), std::max(column, 1),
                          fmt::format("not valid YAML: {}", reason)};
  const std::vector<std::string_view> lines = split_lines(text);
  const int last = std::min(plain.line, static_cast<int>(lines.size()));
  if (last == 0) return plain;
  std::vector<std::string> bare_lines;
  for (const std::string_view each : lines) bare_lines.push_back(bare(each));
  // The parser stops at the mistake or at the first line with something on it after.
  int first = last;
  while (first > 1 && last - first < 20) {
    --first;
    if (bare_lines[static_cast<size_t>(first) - 1].find_first_not_of(' ') != std::string::npos) {
      break;
    }
  }
  if (Finding found = special_start(lines, last, column, reason)) return *found;
  for (int number = first; number <= last; ++number) {
    const size_t index = static_cast<size_t>(number) - 1;
    if (Finding found = tab(lines[index], number)) return *found;
    if (Finding found = missing_blank(bare_lines[index], number)) return *found;
  }
  if (Finding found = unclosed(bare_lines)) return *found;
  for (int number = first; number <= last; ++number) {
    const std::string& each = bare_lines[static_cast<size_t>(number) - 1];
    if (Finding found = second_colon(each, number)) return *found;
    if (number < last || first == last) {
      if (Finding found = missing_colon(each, number)) return *found;
    }
  }
  if (Finding found = indented(bare_lines, last)) return *found;
  return plain;
}

}  // namespace mica::trainers
