// Rows that are there more than once: within a split they count double, and in two of them they let
// a network be tested on what it was trained on.
//
//   DuplicateReport report = find_duplicates(data.splits);
//   report.shared["train, test"];          // rows of test whose x is in train, too
//   drop_duplicates(data);                 // one of each is left
//
// Rows are alike if their x is, byte for byte; what differs in y contradicts itself.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "data/source.h"

namespace mica::data {

DuplicateReport find_duplicates(const std::map<std::string, Split>& splits);

/// Leaves one row of those that are alike in x and y: that of test if there is one there, else of
/// val, else of train; within a split the first. Returns how many are gone.
int64_t drop_duplicates(SourceData& data);

}  // namespace mica::data
