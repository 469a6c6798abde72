// Reads a source of examples as `mica prepare` does, and checks what every source promises.
#pragma once

#include "data/source.h"
#include "tests/fuzz/fuzz.h"

namespace mica {

inline void check_source(const data::SourceData& data) {
  const bool classes = data.task == data::Task::kClassification;
  if (data.splits.empty()) broken("source", "no splits");
  for (const auto& [name, split] : data.splits) {
    for (const HostTensor* values : {&split.x, &split.y}) {
      const auto bytes = static_cast<size_t>(values->size()) * size_of(values->dtype);
      if (values->bytes.size() != bytes) broken("source", "another number of bytes than its shape");
    }
    if (split.x.dtype != uint8 && split.x.dtype != float32) broken("source", "dtype of x");
    if (split.y.dtype != (classes ? int32 : float32)) broken("source", "dtype of y");
    if (split.rows() == 0 || split.x.rows() != split.y.rows()) broken("source", "rows");
    if (split.x.shape.size() < 2 || split.x.bytes.empty()) broken("source", "empty examples");
    if (!classes) continue;
    for (const int32_t label : split.y.as<int32_t>()) {
      if (label < 0 || label >= static_cast<int64_t>(data.class_names.size())) {
        broken("source", "a label without a class");
      }
    }
  }
}

inline int read_source(decltype(data::Source::read) read, const data::PrepareOptions& options,
                       bool usage_too = false) {
  return expect_errors(
      ErrorKind::kData, options.path,
      [&] { check_source(read(options, [](const data::PrepareProgress&) {})); }, usage_too);
}

}  // namespace mica
