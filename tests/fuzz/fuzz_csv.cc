#include "tests/fuzz/sources.h"

// A digit for each setting and a line break, then the table.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mica;
  Input input(data, size);
  data::PrepareOptions options;
  options.path = fuzz_folder() + "/table.csv";
  options.header = input.pick({"auto", "yes", "no"});
  options.delimiter = input.pick({"auto", ",", ";", "\\t"});
  options.task = input.pick({"auto", "classification", "regression"});
  options.encode = input.pick({"one_hot", "codes"});
  options.classes = static_cast<int64_t>(input.number(4));
  for (std::vector<std::string>* columns : {&options.target, &options.drop, &options.categorical}) {
    const size_t column = input.number(6);
    if (column > 0) columns->push_back(std::to_string(column));
  }
  if (input.number(3) == 1) options.target.push_back("y");
  input.bytes(1);
  write_input(options.path, input.rest());
  // Columns that are not there are the caller's mistake, not the file's.
  return read_source(data::read_csv_source, options, true);
}
