// Sources that bring arrays by name: NPZ, a folder of NPY files, HDF5.
#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/io/npy.h"
#include "data/named_arrays.h"
#include "data/prepared_file.h"
#include "data/sha256.h"
#include "data/source.h"

namespace mica::data {
namespace {

SourceData read_prepared(const std::string& path) {
  const auto dataset = Dataset::open(path);  // checks it
  SourceData data;
  data.task = dataset->info().task;
  data.class_names = dataset->info().class_names;
  data.feature_names = dataset->info().feature_names;
  data.target_names = dataset->info().target_names;
  for (const std::string& name : dataset->split_names()) data.splits[name] = dataset->split(name);
  return data;
}

std::vector<std::string> npy_names(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const bool known =
        entry.path().extension() == ".npy" && is_array_name(entry.path().stem().string());
    if (known) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

SourceData read_npz_source(const PrepareOptions& options, const ProgressFunction& progress) {
  progress({"reading", 0, 1});
  SourceData data = from_named_arrays(read_npz(options.path), options.path, options);
  data.sha256 = sha256_of_file(options.path);
  return data;
}

SourceData read_npy_source(const PrepareOptions& options, const ProgressFunction& progress) {
  const std::string& folder = options.path;
  if (!std::filesystem::is_directory(folder)) {
    fail(ErrorKind::kData, "{}: is no folder (wanted one with x.npy and y.npy)", folder);
  }
  const std::vector<std::string> names = npy_names(folder);
  std::map<std::string, HostTensor> arrays;
  for (const std::string& name : names) {
    progress({"reading", static_cast<int64_t>(arrays.size()), static_cast<int64_t>(names.size())});
    arrays[std::filesystem::path(name).stem().string()] = read_npy(folder + "/" + name);
  }
  SourceData data = from_named_arrays(std::move(arrays), folder, options);
  data.sha256 = sha256_of_files(folder, names);
  return data;
}

SourceData read_hdf5_source(const PrepareOptions& options, const ProgressFunction& progress) {
  const Hdf5Reader file(options.path);
  SourceData data;
  if (is_prepared(file)) {
    data = read_prepared(options.path);
  } else {
    const std::vector<std::string> names = file.datasets();
    std::map<std::string, HostTensor> arrays;
    for (const std::string& name : names) {
      progress(
          {"reading", static_cast<int64_t>(arrays.size()), static_cast<int64_t>(names.size())});
      if (is_array_name(name)) arrays[name] = file.read(name);
    }
    if (arrays.empty()) {
      fail(ErrorKind::kData,
           "{}: no arrays of a known name (x and y, data and label, x_train ...); "
           "there is: {}",
           options.path, fmt::join(names, ", "));
    }
    data = from_named_arrays(std::move(arrays), options.path, options);
  }
  data.sha256 = sha256_of_file(options.path);
  return data;
}

}  // namespace mica::data
