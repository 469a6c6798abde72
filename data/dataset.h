// Dataset: the splits of a prepared file (data/prepare.h), in memory.
//
//   std::shared_ptr<const Dataset> digits = Dataset::open("mnist.h5");
//   const Split& test = digits->split("test");         // 10,000 rows
//   test.x.shape;                                       // (10000, 28, 28, 1), uint8
//   digits->info().class_names;                         // "0" ... "9"
//
// A split is read from the file when it is first asked for. The Loader leaves the x of large splits
// in the file and reads rows from there (`Cache`). Thread-safe once constructed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/shape.h"
#include "core/io/host_tensor.h"
#include "data/file_rows.h"

namespace mica::data {

enum class Task { kClassification, kRegression };
/// "classification" or "regression", as files and configs have it.
std::string_view name_of(Task task);

/// What a prepared file says about itself; see data/prepare.h for the meaning of each.
struct DatasetInfo {
  Task task = Task::kClassification;
  std::vector<std::string> class_names;
  std::vector<std::string> feature_names;
  std::vector<std::string> target_names;
  /// Of the training split, in stored units; empty if there is none.
  std::vector<double> mean, std;
  std::vector<double> target_mean, target_std;
  /// What stands in for a missing value of each feature, where the source may have such (CSV).
  std::vector<double> fill;
  std::string source;
  std::string source_sha256;
  std::string split_method;
  int64_t seed = 0;

  int64_t classes() const { return static_cast<int64_t>(class_names.size()); }
};

struct Split {
  HostTensor x;  // uint8 (N, H, W, C) or float32 (N, ...)
  HostTensor y;  // int32 (N,) or float32 (N, targets)

  int64_t rows() const { return x.rows(); }
  /// Shape of one row of x.
  Shape sample_shape() const { return Shape(x.shape.begin() + 1, x.shape.end()); }
};

/// Where the Loader finds the x of a prepared file's splits: in memory, in the file, or in memory
/// up to a quarter of what this machine (or container) has. What it loads is the same bit for bit.
enum class Cache { kAuto, kRam, kNone };
/// "auto", "ram" or "none", as configs have it. Throws a usage Error for anything else.
Cache cache_named(std::string_view name);

class Dataset {
 public:
  /// True if the file is there and says that it is a prepared data set.
  static bool is_prepared(const std::string& path);
  /// Throws Error(kData) naming the file if it is missing, damaged, no prepared data set (then it
  /// says how to make one) or contradicts itself.
  static std::shared_ptr<const Dataset> open(const std::string& path, Cache cache = Cache::kAuto);
  /// A data set that was made in memory.
  static std::shared_ptr<const Dataset> from_memory(DatasetInfo info,
                                                    std::map<std::string, Split> splits);
  /// The same examples, each of which is its own target: what an autoencoder is trained on. The
  /// task is regression onto examples of sample_shape(), and the Loader gives x for y; split() and
  /// targets() go on giving what is stored.
  static std::shared_ptr<const Dataset> reconstructing(std::shared_ptr<const Dataset> dataset);
  bool reconstructs() const { return stored_ != nullptr; }

  const DatasetInfo& info() const { return info_; }
  /// Those of "train", "val", "test" that are there.
  std::vector<std::string> split_names() const;
  bool has(const std::string& split) const { return rows_.contains(split); }
  /// Number of examples; 0 if there is no such split.
  int64_t rows(const std::string& split) const;
  /// Shape of one example's x, and of its y: () for a label, (targets,) for regression, that of x
  /// for reconstruction.
  const Shape& sample_shape() const { return sample_shape_; }
  const Shape& target_shape() const { return target_shape_; }
  /// Of x: uint8 or float32.
  Dtype sample_dtype() const { return sample_dtype_; }
  /// The split's values, read now if they were not before. Throws Error(kData) naming the splits
  /// that are there if this one is not.
  const Split& split(const std::string& name) const;
  /// y of a split without reading its x.
  const HostTensor& targets(const std::string& name) const;
  /// x of a split that is left in the file; null for one that split() is to be used for.
  std::shared_ptr<const FileRows> file_rows(const std::string& name) const;
  /// Tells data sets apart: a SHA-256 over the description and the labels. A run that resumes
  /// compares it with the one in its checkpoint.
  std::string fingerprint() const;

 private:
  Dataset() = default;
  void check_name(const std::string& name) const;
  void check_split(const std::string& name, const Split& split) const;
  void check_targets(const std::string& name, const HostTensor& y) const;

  std::shared_ptr<const Dataset> stored_;  // of reconstructing()
  std::string path_;                       // empty: made in memory
  Cache cache_ = Cache::kRam;
  DatasetInfo info_;
  std::map<std::string, int64_t> rows_;
  Shape sample_shape_;
  Shape target_shape_;
  Dtype sample_dtype_ = Dtype::kFloat32;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Split> splits_;
  mutable std::map<std::string, HostTensor> targets_;
};

/// Linear regression with a known answer: x standard normal (examples, features), w standard
/// normal, y = x w + noise * standard normal, shape (examples, 1); one split, "train".
struct SyntheticRegression {
  std::shared_ptr<const Dataset> dataset;
  HostTensor weights;  // w, float32 (features, 1)
};
/// Equal arguments give equal data.
SyntheticRegression synthetic_regression(int64_t examples = 1000, int64_t features = 100,
                                         double noise = 0.01, uint64_t seed = 0);

}  // namespace mica::data
