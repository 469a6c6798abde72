// CSV text to a table of cells that know where they stood.
//
//   CsvTable table = read_csv("iris.csv", {.header = "auto", .delimiter = "auto"});
//   table.columns();                          // 5
//   table.cell(0, 4);                         // "Iris-setosa"
//   table.place(0, 4);                        // "iris.csv:1:17"
//
// Fields may be quoted as in RFC 4180 ("a ""b"""), also over several lines. Blank lines are
// skipped, a byte order mark and \r\n are understood, blanks around a cell are dropped. A row with
// another number of fields than the first is Error(kData) naming file and line. Read-only once
// made, so that several threads may look at it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mica::data {

struct CsvOptions {
  std::string header = "auto";     // auto, yes, no
  std::string delimiter = "auto";  // auto, or one character
};

class CsvTable {
 public:
  size_t rows() const { return starts_.size(); }
  size_t columns() const { return names_.size(); }
  bool has_header() const { return has_header_; }
  /// Of the header, or "x1", "x2", ... without one.
  const std::vector<std::string>& names() const { return names_; }
  std::string_view cell(size_t row, size_t column) const {
    return cells_[row * columns() + column];
  }
  /// "file:line:column" for messages; both count from 1, the column in bytes of the line.
  std::string place(size_t row, size_t column) const;
  const std::string& path() const { return path_; }

 private:
  friend CsvTable parse_csv(std::string_view text, const std::string& name,
                            const CsvOptions& options, int64_t first_line);
  friend class CsvParser;
  struct Start {
    int64_t line;      // from 1
    const char* text;  // of the row
  };

  std::string path_;
  std::string text_;  // the cells point into it
  bool has_header_ = false;
  std::vector<std::string> names_;
  std::vector<std::string_view> cells_;
  std::vector<Start> starts_;
};

CsvTable read_csv(const std::string& path, const CsvOptions& options = {});
/// The same for text. `name` stands for the file in messages, whose lines count from `first_line`.
CsvTable parse_csv(std::string_view text, const std::string& name, const CsvOptions& options = {},
                   int64_t first_line = 1);

/// An empty cell, or one of NA, N/A, NaN, null, None, ? and - in any case.
bool is_missing(std::string_view cell);
/// The number that the whole cell is; nothing for texts. Independent of the locale.
std::optional<double> number_in(std::string_view cell);

}  // namespace mica::data
