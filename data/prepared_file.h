// The prepared file, whose layout data/prepare.h describes: how a data set is stored and found.
//
//   write_prepared("iris.h5", info, {{"train", split}});
//   Hdf5Reader file("iris.h5");
//   DatasetInfo info = read_prepared_info(file);
//   Split train = read_prepared_split(file, "train");
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/io/hdf5.h"
#include "data/dataset.h"

namespace mica::data {

inline constexpr std::string_view kFormat = "mica-dataset";
inline constexpr int64_t kFormatVersion = 1;
inline constexpr const char* kSplitNames[] = {"train", "val", "test"};

/// Splits without rows are left out. Atomic (core/io/file.h).
void write_prepared(const std::string& path, const DatasetInfo& info,
                    const std::map<std::string, Split>& splits);

/// True if the file says that it is a prepared data set, of whatever version.
bool is_prepared(const Hdf5Reader& file);
/// Throws Error(kData) if the file is of another kind or version, or lacks something.
DatasetInfo read_prepared_info(const Hdf5Reader& file);
Split read_prepared_split(const Hdf5Reader& file, const std::string& name);

}  // namespace mica::data
