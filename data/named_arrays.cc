#include "data/named_arrays.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/base/error.h"

namespace mica::data {
namespace {

struct Role {
  std::string split;
  bool is_x = false;
};

bool is_one_of(const std::string& text, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

std::string split_named(const std::string& word) {
  if (is_one_of(word, {"train", "training"})) return "train";
  if (is_one_of(word, {"val", "valid", "validation", "dev"})) return "val";
  if (word == "test") return "test";
  return "";
}

std::optional<Role> role_of(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name == "arr_0") return Role{kUnsplit, true};
  if (name == "arr_1") return Role{kUnsplit, false};
  Role role = {kUnsplit, false};
  std::string what = name;
  const size_t mark = name.find_first_of("_/");
  if (mark != std::string::npos) {
    const std::string first = name.substr(0, mark), second = name.substr(mark + 1);
    const bool split_first = !split_named(first).empty();
    role.split = split_named(split_first ? first : second);
    what = split_first ? second : first;
    if (role.split.empty()) return std::nullopt;
  }
  if (is_one_of(what, {"x", "data", "images", "image", "features"}))
    role.is_x = true;
  else if (!is_one_of(what, {"y", "label", "labels", "target", "targets"}))
    return std::nullopt;
  return role;
}

/// (N, C, H, W) to (N, H, W, C).
HostTensor channels_last(const HostTensor& x) {
  const int64_t rows = x.shape[0], channels = x.shape[1], pixels = x.shape[2] * x.shape[3];
  HostTensor result(x.dtype, {rows, x.shape[2], x.shape[3], channels});
  const size_t unit = size_of(x.dtype);
  std::byte* to = result.bytes.data();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (int64_t c = 0; c < channels; ++c, to += unit) {
        const auto from = static_cast<size_t>((row * channels + c) * pixels + pixel);
        std::memcpy(to, x.bytes.data() + from * unit, unit);
      }
    }
  }
  return result;
}

bool is_channel_count(int64_t length) { return length == 1 || length == 3 || length == 4; }

HostTensor to_x(HostTensor x, const std::string& where, const std::string& layout) {
  if (is_complex(x.dtype)) fail(ErrorKind::kData, "{}: {}, wanted real numbers", where, x.dtype);
  if (x.shape.empty()) fail(ErrorKind::kData, "{}: a single number, wanted rows", where);
  if (x.shape.size() == 1) x.shape.push_back(1);
  if (x.shape.size() == 4) {
    const bool first = is_channel_count(x.shape[1]) && !is_channel_count(x.shape[3]);
    if (layout == "nchw" || (layout == "auto" && first)) x = channels_last(x);
  }
  const bool images = x.dtype == Dtype::kUint8 && (x.shape.size() == 3 || x.shape.size() == 4);
  // Without channels, the last axis of an image would be taken for them.
  if (x.shape.size() == 3) x.shape.push_back(1);
  return images ? x : convert(x, Dtype::kFloat32);
}

HostTensor to_targets(const HostTensor& y, const std::string& where) {
  if (y.shape.empty() || y.shape.size() > 2 || is_complex(y.dtype)) {
    fail(ErrorKind::kData, "{}: targets of shape {}, wanted (N,) or (N, targets)", where,
         to_string(y.shape));
  }
  HostTensor targets = convert(y, Dtype::kFloat32);
  if (targets.shape.size() == 1) targets.shape.push_back(1);
  return targets;
}

HostTensor to_labels(const HostTensor& y, const std::string& where, int64_t classes) {
  const bool one_column = y.shape.size() == 2 && y.shape[1] == 1;
  if (y.shape.size() != 1 && !one_column) {
    fail(ErrorKind::kData, "{}: labels of shape {}, wanted (N,)", where, to_string(y.shape));
  }
  const HostTensor values = convert(y, Dtype::kFloat64);
  HostTensor labels(Dtype::kInt32, {y.shape[0]});
  // One past the greatest number of classes that is taken for one.
  const double bound = classes > 0 ? static_cast<double>(classes) : 1e6;
  for (size_t row = 0; row < static_cast<size_t>(y.shape[0]); ++row) {
    const double value = values.as<double>()[row];
    if (!(value >= 0 && value < bound) || value != std::floor(value)) {
      fail(ErrorKind::kData, "{}: label {} in row {} is not a whole number in 0 ... {}", where,
           value, row, bound - 1);
    }
    labels.as<int32_t>()[row] = static_cast<int32_t>(value);
  }
  return labels;
}

struct Named {
  std::string name;
  HostTensor tensor;
};

bool are_labels(const HostTensor& y, const std::string& task) {
  if (task == "classification") return true;
  if (task == "regression") return false;
  return is_integer(y.dtype) || y.dtype == Dtype::kBool;
}

}  // namespace

bool is_array_name(const std::string& name) { return role_of(name).has_value(); }

SourceData from_named_arrays(std::map<std::string, HostTensor> arrays, const std::string& where,
                             const PrepareOptions& options) {
  std::map<std::string, Named> xs, ys;
  for (auto& [name, tensor] : arrays) {
    const std::optional<Role> role = role_of(name);
    if (!role) {
      fail(ErrorKind::kData,
           "{}: array '{}' is neither x nor y (wanted x and y, or x_train, "
           "y_train, x_test, y_test)",
           where, name);
    }
    auto& place = role->is_x ? xs : ys;
    if (place.contains(role->split)) {
      fail(ErrorKind::kData, "{}: '{}' and '{}' mean the same", where, place[role->split].name,
           name);
    }
    place[role->split] = {name, std::move(tensor)};
  }
  if (xs.empty()) fail(ErrorKind::kData, "{}: no array x or x_train in it", where);
  SourceData data;
  int64_t classes = options.classes;
  for (auto& [split, x] : xs) {
    const auto y = ys.find(split);
    if (y == ys.end()) fail(ErrorKind::kData, "{}: '{}' has no y", where, x.name);
    const std::string x_where = fmt::format("{}: {}", where, x.name);
    const std::string y_where = fmt::format("{}: {}", where, y->second.name);
    const bool labels = are_labels(y->second.tensor, options.task);
    data.task = labels ? Task::kClassification : Task::kRegression;
    Split& out = data.splits[split];
    out.x = to_x(std::move(x.tensor), x_where, options.layout);
    out.y = labels ? to_labels(y->second.tensor, y_where, options.classes)
                   : to_targets(y->second.tensor, y_where);
    if (out.x.rows() != out.y.rows()) {
      fail(ErrorKind::kData, "{}: {} rows, but {} has {}", x_where, out.x.rows(), y->second.name,
           out.y.rows());
    }
    if (!labels || options.classes > 0) continue;
    for (const int32_t label : out.y.as<int32_t>()) classes = std::max<int64_t>(classes, label + 1);
  }
  if (data.task == Task::kClassification) data.class_names = numbered_names(classes);
  return data;
}

}  // namespace mica::data
