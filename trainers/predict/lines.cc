// Examples from standard input, answered line by line.
#include <filesystem>
#include <iostream>
#include <optional>

#include "core/base/error.h"
#include "trainers/predict/table.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

constexpr const char* kName = "standard input";

// Rows of one table, which arrive one by one. A quoted field may not go over several lines.
class LineTable {
 public:
  LineTable(const ExampleSpec& spec, const ExampleSink& sink) : spec_(spec), sink_(sink) {}

  bool has_begun() const { return encoder_.has_value(); }

  // True if the line was a header. Throws if the model can't read such a table.
  bool begin(const std::string& line, int64_t number) {
    // The delimiter is found once: later lines may have others in their texts.
    for (const char* delimiter : {",", ";", "\t", "|"}) {
      const data::CsvTable row =
          data::parse_csv(line, kName, {.header = "no", .delimiter = delimiter}, number);
      if (options_.delimiter != "auto" && row.columns() <= columns_) continue;
      options_ = {.header = "no", .delimiter = delimiter};
      columns_ = row.columns();
    }
    if (columns_ == 1 && size_of(spec_.shape) != 1) {
      fail(ErrorKind::kData, "{}:{}: '{}' is no file, and no row for a model that takes {}", kName,
           number, line, describe(spec_));
    }
    const data::CsvTable row = data::parse_csv(line, kName, options_, number);
    std::vector<std::string> names;
    bool header = true;
    for (size_t i = 0; i < columns_; ++i) {
      names.emplace_back(row.cell(0, i));
      header = header && !data::number_in(row.cell(0, i));
    }
    if (!header) names = row.names();
    encoder_.emplace(names, header, spec_, kName);
    if (!encoder_->note().empty()) sink_.note(encoder_->note());
    return header;
  }

  void add(const std::string& line, int64_t number) {
    const int64_t row = row_++;
    const data::CsvTable table = data::parse_csv(line, kName, options_, number);
    if (table.columns() != columns_) {
      fail(ErrorKind::kData, "{}:{}: {} fields, wanted {} as in the first line", kName, number,
           table.columns(), columns_);
    }
    sink_.take({kName, row, encoder_->encode(table, 0)});
  }

 private:
  const ExampleSpec& spec_;
  const ExampleSink& sink_;
  data::CsvOptions options_;
  size_t columns_ = 0;
  int64_t row_ = 0;
  std::optional<TableEncoder> encoder_;
};

// A bad row is told, and the next ones are read.
void add_row(LineTable& table, const std::string& line, int64_t number, const ExampleSink& sink) {
  try {
    table.add(line, number);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    sink.refuse(error.what());
  }
}

}  // namespace

void read_lines(const ExampleSpec& spec, const ExampleSink& sink) {
  LineTable table(spec, sink);
  std::optional<bool> paths;
  std::string line;
  for (int64_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    std::error_code error;
    if (!paths) paths = fs::exists(line, error);
    if (*paths) {
      read_input(line, spec, sink);
    } else if (table.has_begun() || !table.begin(line, number)) {
      add_row(table, line, number, sink);
    }
    sink.flush();
  }
}

}  // namespace mica::trainers
