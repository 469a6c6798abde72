#include "data/dataset.h"

#include <filesystem>

#include "core/base/error.h"
#include "core/runtime/machine_memory.h"
#include "data/prepared_file.h"
#include "data/sha256.h"

namespace mica::data {
namespace {

// Of the machine's memory, that a split may take.
constexpr size_t kShare = 4;

Shape tail(const Shape& shape) { return Shape(shape.begin() + 1, shape.end()); }

[[noreturn]] void fail_in(const std::string& path, const std::string& text) {
  fail(ErrorKind::kData, "{}: {}", path.empty() ? "data set" : path, text);
}

/// Labels are 0 ... classes-1: a loss would read beyond its scores otherwise.
void check_labels(const std::string& path, const std::string& split, const HostTensor& y,
                  int64_t classes) {
  const std::span<const int32_t> labels = y.as<int32_t>();
  for (size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] >= 0 && labels[row] < classes) continue;
    fail_in(path, fmt::format("/{}/y: label {} in row {} is not in 0 ... {}", split, labels[row],
                              row, classes - 1));
  }
}

void check_statistics(const std::string& path, const DatasetInfo& info, const Shape& sample,
                      const Shape& target) {
  const auto check = [&](std::string_view names, const std::vector<double>& mean,
                         const std::vector<double>& std, const Shape& shape) {
    const size_t wanted = shape.empty() ? 1 : static_cast<size_t>(shape.back());
    if (mean.size() == std.size() && (mean.empty() || mean.size() == wanted)) return;
    fail_in(path, fmt::format("{} have {} and {} entries, wanted {}", names, mean.size(),
                              std.size(), wanted));
  };
  check("mean and std", info.mean, info.std, sample);
  check("target_mean and target_std", info.target_mean, info.target_std, target);
}

}  // namespace

std::string_view name_of(Task task) {
  return task == Task::kClassification ? "classification" : "regression";
}

Cache cache_named(std::string_view name) {
  if (name == "auto") return Cache::kAuto;
  if (name == "ram") return Cache::kRam;
  if (name != "none") fail("cache '{}' is unknown, wanted auto, ram or none", name);
  return Cache::kNone;
}

bool Dataset::is_prepared(const std::string& path) {
  try {
    return data::is_prepared(Hdf5Reader(path));
  } catch (const Error&) {
    return false;
  }
}

std::shared_ptr<const Dataset> Dataset::open(const std::string& path, Cache cache) {
  const Hdf5Reader file(path);
  std::shared_ptr<Dataset> dataset(new Dataset);
  dataset->path_ = path;
  dataset->cache_ = cache;
  dataset->info_ = read_prepared_info(file);
  const Dtype target_dtype =
      dataset->info_.task == Task::kClassification ? Dtype::kInt32 : Dtype::kFloat32;
  for (const char* name : kSplitNames) {
    const std::string group = fmt::format("/{}", name);
    if (!file.is_group(group)) continue;
    const Shape x = file.shape(group + "/x");
    const Shape y = file.shape(group + "/y");
    const Dtype dtype = file.dtype(group + "/x");
    if (dtype != Dtype::kUint8 && dtype != Dtype::kFloat32) {
      fail_in(path, fmt::format("{}/x is {}, wanted uint8 or float32", group, dtype));
    }
    if (file.dtype(group + "/y") != target_dtype) {
      fail_in(path,
              fmt::format("{}/y is {}, wanted {}", group, file.dtype(group + "/y"), target_dtype));
    }
    if (x.size() < 2 || y.empty() || x[0] != y[0]) {
      fail_in(path, fmt::format("{}/x has shape {} and {}/y {}, wanted as many rows", group,
                                to_string(x), group, to_string(y)));
    }
    if (size_of(x) == 0) fail_in(path, fmt::format("{}/x has shape {}", group, to_string(x)));
    if (dataset->info_.task == Task::kClassification && y.size() != 1) {
      fail_in(path, fmt::format("{}/y has shape {}, wanted a label a row", group, to_string(y)));
    }
    if (!dataset->rows_.empty() && dtype != dataset->sample_dtype_) {
      fail_in(path,
              fmt::format("{}/x is {}, other splits are {}", group, dtype, dataset->sample_dtype_));
    }
    if (!dataset->rows_.empty() &&
        (tail(x) != dataset->sample_shape_ || tail(y) != dataset->target_shape_)) {
      fail_in(path, fmt::format("{}/x has rows of shape {}, other splits of {}", group,
                                to_string(tail(x)), to_string(dataset->sample_shape_)));
    }
    dataset->rows_[name] = x[0];
    dataset->sample_shape_ = tail(x);
    dataset->target_shape_ = tail(y);
    dataset->sample_dtype_ = dtype;
  }
  if (dataset->rows_.empty()) fail_in(path, "the data set is empty: no train, val or test in it");
  check_statistics(path, dataset->info_, dataset->sample_shape_, dataset->target_shape_);
  return dataset;
}

std::shared_ptr<const Dataset> Dataset::from_memory(DatasetInfo info,
                                                    std::map<std::string, Split> splits) {
  std::shared_ptr<Dataset> dataset(new Dataset);
  dataset->info_ = std::move(info);
  for (auto& [name, split] : splits) {
    dataset->rows_[name] = split.rows();
    dataset->sample_shape_ = split.sample_shape();
    dataset->target_shape_ = tail(split.y.shape);
    dataset->sample_dtype_ = split.x.dtype;
    dataset->check_split(name, split);
  }
  dataset->splits_ = std::move(splits);
  check_statistics("", dataset->info_, dataset->sample_shape_, dataset->target_shape_);
  return dataset;
}

std::shared_ptr<const Dataset> Dataset::reconstructing(std::shared_ptr<const Dataset> dataset) {
  std::shared_ptr<Dataset> made(new Dataset);
  made->path_ = dataset->path_;
  made->cache_ = dataset->cache_;
  made->info_ = dataset->info_;
  made->info_.task = Task::kRegression;
  made->info_.class_names.clear();
  made->info_.target_names = dataset->info_.feature_names;
  made->info_.target_mean = dataset->info_.mean;
  made->info_.target_std = dataset->info_.std;
  made->rows_ = dataset->rows_;
  made->sample_shape_ = made->target_shape_ = dataset->sample_shape_;
  made->sample_dtype_ = dataset->sample_dtype_;
  made->stored_ = std::move(dataset);
  return made;
}

std::vector<std::string> Dataset::split_names() const {
  std::vector<std::string> names;
  for (const char* name : kSplitNames) {
    if (has(name)) names.push_back(name);
  }
  return names;
}

int64_t Dataset::rows(const std::string& split) const {
  const auto found = rows_.find(split);
  return found == rows_.end() ? 0 : found->second;
}

void Dataset::check_name(const std::string& name) const {
  if (has(name)) return;
  fail_in(path_, fmt::format("there is no split '{}' (there is: {})", name,
                             fmt::join(split_names(), ", ")));
}

void Dataset::check_targets(const std::string& name, const HostTensor& y) const {
  if (y.rows() != rows(name)) {
    fail_in(path_, fmt::format("/{}: {} rows of x and {} of y", name, rows(name), y.rows()));
  }
  if (info_.task == Task::kClassification) check_labels(path_, name, y, info_.classes());
}

void Dataset::check_split(const std::string& name, const Split& split) const {
  check_targets(name, split.y);
  if (split.rows() == rows(name)) return;
  fail_in(path_, fmt::format("/{}: {} rows of x, wanted {}", name, split.rows(), rows(name)));
}

const Split& Dataset::split(const std::string& name) const {
  if (stored_) return stored_->split(name);
  check_name(name);
  const std::scoped_lock lock(mutex_);
  const auto found = splits_.find(name);
  if (found != splits_.end()) return found->second;
  Split split = read_prepared_split(Hdf5Reader(path_), name);
  check_split(name, split);
  return splits_.emplace(name, std::move(split)).first->second;
}

const HostTensor& Dataset::targets(const std::string& name) const {
  if (stored_) return stored_->targets(name);
  check_name(name);
  const std::scoped_lock lock(mutex_);
  if (const auto found = splits_.find(name); found != splits_.end()) return found->second.y;
  if (const auto found = targets_.find(name); found != targets_.end()) return found->second;
  HostTensor y = Hdf5Reader(path_).read(fmt::format("/{}/y", name));
  check_targets(name, y);
  return targets_.emplace(name, std::move(y)).first->second;
}

std::shared_ptr<const FileRows> Dataset::file_rows(const std::string& name) const {
  check_name(name);
  if (path_.empty() || cache_ == Cache::kRam) return nullptr;
  const std::string x = fmt::format("/{}/x", name);
  const int64_t row_bytes = size_of(sample_shape_) * static_cast<int64_t>(size_of(sample_dtype_));
  const size_t bytes = static_cast<size_t>(rows(name)) * static_cast<size_t>(row_bytes);
  if (cache_ == Cache::kAuto) {
    const bool fits = bytes <= usable_memory() / kShare;
    if (fits || !FileRows::can_read(path_, x)) return nullptr;
  }
  return std::make_shared<FileRows>(path_, x, rows(name), row_bytes);
}

std::string Dataset::fingerprint() const {
  Sha256 hash;
  hash.add(fmt::format("{} {} {} {}\n", name_of(info_.task), info_.source_sha256,
                       info_.split_method, info_.seed));
  for (const std::string& name : split_names()) {
    hash.add(fmt::format("{} {} {}\n", name, rows(name), to_string(sample_shape_)));
    if (path_.empty()) hash.add(split(name).x.bytes);
    hash.add(targets(name).bytes);
  }
  return hash.hex();
}

}  // namespace mica::data
