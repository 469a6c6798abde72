#include "data/csv.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/io/file.h"

namespace mica::data {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

char find_delimiter(std::string_view text, const std::string& wanted) {
  if (wanted != "auto") {
    const std::string given = wanted == "\\t" ? "\t" : wanted;
    if (given.size() != 1 || given == "\"" || given == "\n") {
      fail("delimiter '{}', wanted one character or auto", wanted);
    }
    return given[0];
  }
  const std::string_view line = text.substr(0, text.find('\n'));
  char best = ',';
  for (const char candidate : {';', '\t', '|'}) {
    if (std::count(line.begin(), line.end(), candidate) >
        std::count(line.begin(), line.end(), best)) {
      best = candidate;
    }
  }
  return best;
}

}  // namespace

/// One pass over the text. Quoted fields lose their quotes in place, so that every cell is a piece
/// of the text.
class CsvParser {
 public:
  CsvParser(CsvTable& table, char delimiter, int64_t first_line)
      : table_(table), delimiter_(delimiter), line_(first_line) {
    at_ = table.text_.data();
    end_ = at_ + table.text_.size();
    if (table.text_.starts_with("\xef\xbb\xbf")) at_ += 3;
  }

  void parse() {
    while (at_ < end_) parse_row();
  }
  size_t columns() const { return columns_; }

 private:
  void parse_row() {
    if (skip_blank_line()) return;
    const CsvTable::Start start = {line_, at_};
    size_t fields = 0;
    bool more = true;
    while (more) {
      table_.cells_.push_back(starts_with_quote() ? quoted_field(start.line) : plain_field());
      ++fields;
      more = at_ < end_ && *at_ == delimiter_;
      if (more) ++at_;
    }
    finish_line();
    if (columns_ == 0) {
      columns_ = fields;
      first_line_ = start.line;
    }
    if (fields != columns_) {
      fail(ErrorKind::kData, "{}:{}: {} fields, wanted {} as in line {}", table_.path_, start.line,
           fields, columns_, first_line_);
    }
    table_.starts_.push_back(start);
  }

  bool skip_blank_line() {
    char* at = at_;
    while (at < end_ && (*at == ' ' || *at == '\r')) ++at;
    if (at < end_ && *at != '\n') return false;
    at_ = at;
    finish_line();
    return true;
  }

  void finish_line() {
    if (at_ < end_ && *at_ == '\r') ++at_;
    if (at_ < end_ && *at_ == '\n') ++at_;
    ++line_;
  }

  bool at_end_of_field() const {
    return at_ == end_ || *at_ == delimiter_ || *at_ == '\n' ||
           (*at_ == '\r' && (at_ + 1 == end_ || at_[1] == '\n'));
  }

  /// Steps over blanks before a quote.
  bool starts_with_quote() {
    char* at = at_;
    while (at < end_ && *at == ' ') ++at;
    if (at == end_ || *at != '"') return false;
    at_ = at;
    return true;
  }

  std::string_view plain_field() {
    const char* begin = at_;
    while (!at_end_of_field()) ++at_;
    return trimmed({begin, static_cast<size_t>(at_ - begin)});
  }

  std::string_view quoted_field(int64_t start_line) {
    char* begin = ++at_;
    char* to = begin;
    while (at_ < end_ && (*at_ != '"' || (at_ + 1 < end_ && at_[1] == '"'))) {
      if (*at_ == '"') ++at_;
      if (*at_ == '\n') ++line_;
      *to++ = *at_++;
    }
    if (at_ == end_) {
      fail(ErrorKind::kData, "{}:{}: a quoted field is never closed", table_.path_, start_line);
    }
    ++at_;
    while (at_ < end_ && *at_ == ' ') ++at_;
    if (!at_end_of_field()) {
      fail(ErrorKind::kData, "{}:{}: text after a closing quote", table_.path_, line_);
    }
    return {begin, static_cast<size_t>(to - begin)};
  }

  CsvTable& table_;
  char delimiter_;
  char* at_ = nullptr;
  char* end_ = nullptr;
  int64_t line_;
  int64_t first_line_ = 1;
  size_t columns_ = 0;
};

bool is_missing(std::string_view cell) {
  if (cell.size() > 4) return false;
  std::string lower(cell);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* name : {"", "na", "n/a", "nan", "null", "none", "?", "-"}) {
    if (lower == name) return true;
  }
  return false;
}

std::optional<double> number_in(std::string_view cell) {
  if (cell.starts_with('+') && !cell.starts_with("+-")) cell.remove_prefix(1);
  double value = 0;
  const auto parsed = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == cell.data() + cell.size();
  if (!whole || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string CsvTable::place(size_t row, size_t column) const {
  const auto in_line = cell(row, column).data() - starts_[row].text;
  return fmt::format("{}:{}:{}", path_, starts_[row].line, in_line + 1);
}

CsvTable read_csv(const std::string& path, const CsvOptions& options) {
  const std::vector<std::byte> bytes = read_file(path);
  return parse_csv({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, options);
}

CsvTable parse_csv(std::string_view text, const std::string& path, const CsvOptions& options,
                   int64_t first_line) {
  CsvTable table;
  table.path_ = path;
  // On the heap whatever its size, so that moving the table leaves the cells valid.
  table.text_.reserve(std::max<size_t>(text.size(), 64));
  table.text_.assign(text);
  if (table.text_.find('\0') != std::string::npos) {
    fail(ErrorKind::kData, "{}: is no text file (it has zero bytes in it)", path);
  }
  CsvParser parser(table, find_delimiter(table.text_, options.delimiter), first_line);
  parser.parse();
  const size_t columns = parser.columns();
  if (columns == 0) fail(ErrorKind::kData, "{}: is empty", path);

  const auto first_row_end = table.cells_.begin() + static_cast<ptrdiff_t>(columns);
  const bool no_numbers = std::none_of(table.cells_.begin(), first_row_end,
                                       [](auto cell) { return number_in(cell).has_value(); });
  table.has_header_ = options.header == "yes" || (options.header == "auto" && no_numbers);
  if (!table.has_header_) {
    for (size_t i = 1; i <= columns; ++i) table.names_.push_back(fmt::format("x{}", i));
    return table;
  }
  table.names_.assign(table.cells_.begin(), first_row_end);
  std::set<std::string> seen;
  for (const std::string& name : table.names_) {
    if (seen.insert(name).second) continue;
    fail(ErrorKind::kData, "{}:{}: two columns are named '{}'", path, table.starts_[0].line, name);
  }
  table.cells_.erase(table.cells_.begin(), first_row_end);
  table.starts_.erase(table.starts_.begin());
  if (table.rows() == 0) fail(ErrorKind::kData, "{}: a header, but no rows", path);
  return table;
}

}  // namespace mica::data
