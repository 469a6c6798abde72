// Arrays to and from files, in one call.
//
//   save("w.npy", weight);                                     // the format by the name's end
//   Array w = load("w.npy");                                   // ... or by how the file begins
//   save("model.safetensors", {{"w", weight}, {"b", bias}});
//   std::map<std::string, Array> arrays = load_all("model.safetensors");
//   save_npz("model.npz", {{"w", weight}, {"b", bias}}, true);   // deflated
//   save_hdf5("model.h5", {{"layer/w", weight}});              // a dataset each, groups by name
//
// Saving evaluates. Files are replaced in one step; errors are Error(kData) naming the file. See
// core/io/npy.h, core/io/safetensors.h and core/io/hdf5.h for what each format holds.
//
// Loading .npy, .npz and .safetensors maps the file and reads its headers only: opening 10 GB costs
// nothing, and values come from the disk when they are used, for a slice those of the slice. What
// cannot be used as it lies (deflated, big-endian, bool or not aligned; NumPy does not align what
// it puts into .npz) is converted as a whole when it is first used, and damage is reported there.
// The checksums of stored .npz members are compared by read_npz (core/io/npy.h) only. A file that
// is cut short in place while arrays of it are in use makes evaluations throw
// (core/runtime/mapped_file.h); replacing it by a rename, as save does, harms nobody. HDF5 is read
// at once.
#pragma once

#include <map>
#include <string>

#include "core/graph/array.h"

namespace mica {

/// One array by the end of the name: .npy, or as "arr_0" in .npz, .safetensors, .h5 or .hdf5.
/// Throws Error(kUsage) for other names.
void save(const std::string& path, const Array& array);
/// Arrays by name, to .npz (stored), .safetensors, .h5 or .hdf5; a single one also to .npy.
void save(const std::string& path, const std::map<std::string, Array>& arrays);

/// The only array of a file of any format. Throws naming the arrays if there are several.
Array load(const std::string& path);
/// Every array of a file of any format by its name; that of an .npy file is named "arr_0".
std::map<std::string, Array> load_all(const std::string& path);

/// One format each, whatever the name.
void save_npy(const std::string& path, const Array& array);
Array load_npy(const std::string& path);

/// `compress` deflates the members. Stored ones can be mapped.
void save_npz(const std::string& path, const std::map<std::string, Array>& arrays,
              bool compress = false);
std::map<std::string, Array> load_npz(const std::string& path);

void save_hdf5(const std::string& path, const std::map<std::string, Array>& arrays);
/// Every dataset of numbers in the file, by its path without the leading slash.
std::map<std::string, Array> load_hdf5(const std::string& path);

}  // namespace mica
