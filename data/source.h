// A source: one way in which data sets come, read whole into memory.
//
//   const Source& source = find_source("mnist");      // did-you-mean if there is none
//   SourceData data = source.read(options, progress);
//
// To add one: a row in data/sources/sources.def and a file data/sources/NAME.cc with the function
// that the row names. It checks everything it reads and throws Error(kData) naming file and place.
// Not thread-safe beyond what a single function of one thread is.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "data/prepare.h"

namespace mica::data {

/// The name under which rows come that the source does not split itself.
inline constexpr const char* kUnsplit = "all";

struct SourceData {
  Task task = Task::kClassification;
  /// x: uint8 (N, H, W, C) or float32 (N, ...), NaN where a value is missing.
  /// y: int32 (N,) from 0, or float32 (N, targets). Keys: train, val, test; or kUnsplit alone.
  std::map<std::string, Split> splits;
  std::vector<std::string> class_names;
  std::vector<std::string> feature_names;
  std::vector<std::string> target_names;
  std::string sha256;
  /// Of the rows that come unsplit, where x does not say what a row was: the encoding of a category
  /// depends on the rows around. Empty: the hashes of x.
  std::vector<uint64_t> row_hashes;
  /// Missing values of x are filled with the median of the training split.
  bool impute = false;
  /// Files that were left out because they are damaged, and what is wrong with them.
  std::vector<CorruptFile> corrupt;
  std::vector<std::string> notes;
};

struct Source {
  std::string_view name;
  SourceData (*read)(const PrepareOptions&, const ProgressFunction&);
  std::string_view help;
};

std::span<const Source> sources();
/// Throws Error(kUsage) listing the names if there is none of this name.
const Source& find_source(const std::string& name);

#define SOURCE(name, read, help) SourceData read(const PrepareOptions&, const ProgressFunction&);
#include "data/sources/sources.def"
#undef SOURCE

/// "0", "1", ... for classes without names.
std::vector<std::string> numbered_names(int64_t count);
/// Names in numerical order if all are whole numbers, otherwise in alphabetical order.
void sort_names(std::vector<std::string>& names);

}  // namespace mica::data
