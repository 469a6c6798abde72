// Arrays to and from files, in one call.
//
//   save_npy("w.npy", weight);
//   Array w = load_npy("w.npy");
//   save_npz("model.npz", {{"w", weight}, {"b", bias}});
//   std::map<std::string, Array> arrays = load_npz("model.npz");
//   save_hdf5("model.h5", {{"layer/w", weight}});              // a dataset each, groups by name
//   std::map<std::string, Array> same = load_hdf5("model.h5");
//
// Saving evaluates. Files are replaced in one step; errors are Error(kData) naming the file. See
// core/io/npy.h and core/io/hdf5.h for what each format holds.
#pragma once

#include <map>
#include <string>

#include "core/graph/array.h"

namespace mica {

void save_npy(const std::string& path, const Array& array);
Array load_npy(const std::string& path);

void save_npz(const std::string& path, const std::map<std::string, Array>& arrays,
              bool compress = false);
std::map<std::string, Array> load_npz(const std::string& path);

void save_hdf5(const std::string& path, const std::map<std::string, Array>& arrays);
/// Every dataset of numbers in the file, by its path without the leading slash.
std::map<std::string, Array> load_hdf5(const std::string& path);

}  // namespace mica
