// Rows of a table to examples, as the training data was encoded: columns by name, a feature for
// each category, missing values filled.
//
//   TableEncoder encoder(table.names(), table.has_header(), spec, "houses.csv");
//   std::vector<float> values = encoder.encode(table, 0);
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/csv.h"
#include "trainers/predict/examples.h"

namespace mica::trainers {

class TableEncoder {
 public:
  /// Throws Error (data) naming the columns that are missing. `where` is the file.
  TableEncoder(const std::vector<std::string>& columns, bool has_header, const ExampleSpec& spec,
               const std::string& where);

  /// Throws Error (data) naming file, line and column for a cell that is no number or no category
  /// that the model knows.
  std::vector<float> encode(const data::CsvTable& table, size_t row) const;

  /// What was guessed; empty: nothing.
  const std::string& note() const { return note_; }

 private:
  // A column and the features that are made of it: itself, or one for each category.
  struct Column {
    std::string name;
    size_t place = 0;  // in the table
    std::vector<std::string> categories = {};
    std::vector<size_t> features = {};
  };

  /// Columns and their features as the model has them; places are found later.
  void list_columns(const std::vector<std::string>& names, const ExampleSpec& spec);
  void match_names(const std::vector<std::string>& columns, const std::string& where);
  void match_places(size_t columns, bool has_header, const ExampleSpec& spec,
                    const std::string& where);
  void encode_number(const data::CsvTable& table, size_t row, const Column& column,
                     std::vector<float>& values) const;
  void encode_category(const data::CsvTable& table, size_t row, const Column& column,
                       std::vector<float>& values) const;

  std::vector<Column> columns_;
  std::vector<double> fill_;
  size_t width_ = 0;
  std::string note_;
};

}  // namespace mica::trainers
