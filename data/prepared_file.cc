#include "data/prepared_file.h"

#include "core/base/error.h"
#include "core/io/file.h"

namespace mica::data {
namespace {

constexpr const char* kRoot = "/";

HostTensor numbers(const std::vector<double>& values) {
  return HostTensor::from(values, {static_cast<int64_t>(values.size())});
}

std::vector<double> read_numbers(const Hdf5Reader& file, const std::string& name) {
  if (!file.has_attribute(kRoot, name)) return {};
  const HostTensor values = convert(file.attribute(kRoot, name), Dtype::kFloat64);
  return {values.as<double>().begin(), values.as<double>().end()};
}

std::vector<std::string> read_names(const Hdf5Reader& file, const std::string& name) {
  if (!file.has_attribute(kRoot, name)) return {};
  return file.attribute_texts(kRoot, name);
}

std::string text_or_nothing(const Hdf5Reader& file, const std::string& name) {
  return file.has_attribute(kRoot, name) ? file.attribute_text(kRoot, name) : "";
}

}  // namespace

void write_prepared(const std::string& path, const DatasetInfo& info,
                    const std::map<std::string, Split>& splits) {
  remove_stale_temporaries(path);
  Hdf5Writer out;
  out.set_attribute(kRoot, "format", kFormat);
  out.set_attribute(kRoot, "format_version", kFormatVersion);
  out.set_attribute(kRoot, "created_by", "mica prepare");
  out.set_attribute(kRoot, "source", info.source);
  out.set_attribute(kRoot, "source_sha256", info.source_sha256);
  out.set_attribute(kRoot, "task", name_of(info.task));
  out.set_attribute(kRoot, "class_names", info.class_names);
  out.set_attribute(kRoot, "feature_names", info.feature_names);
  out.set_attribute(kRoot, "target_names", info.target_names);
  if (!info.mean.empty()) {
    out.set_attribute(kRoot, "mean", numbers(info.mean));
    out.set_attribute(kRoot, "std", numbers(info.std));
  }
  if (!info.target_mean.empty()) {
    out.set_attribute(kRoot, "target_mean", numbers(info.target_mean));
    out.set_attribute(kRoot, "target_std", numbers(info.target_std));
  }
  if (!info.fill.empty()) out.set_attribute(kRoot, "fill", numbers(info.fill));
  out.set_attribute(kRoot, "split_method", info.split_method);
  out.set_attribute(kRoot, "seed", info.seed);
  for (const char* name : kSplitNames) {
    const auto found = splits.find(name);
    if (found == splits.end() || found->second.rows() == 0) continue;
    out.write(fmt::format("/{}/x", name), found->second.x);
    out.write(fmt::format("/{}/y", name), found->second.y);
  }
  out.save(path);
}

bool is_prepared(const Hdf5Reader& file) {
  return file.has_attribute(kRoot, "format") && file.attribute_text(kRoot, "format") == kFormat;
}

DatasetInfo read_prepared_info(const Hdf5Reader& file) {
  if (!is_prepared(file)) {
    fail(ErrorKind::kData,
         "{}: is no prepared data set (no attribute format = {}); run: mica prepare hdf5 --source "
         "{} --out FILE",
         file.path(), kFormat, file.path());
  }
  const int64_t version = file.attribute_int(kRoot, "format_version");
  if (version != kFormatVersion) {
    fail(ErrorKind::kData, "{}: prepared data set of version {}, wanted {}; prepare it again",
         file.path(), version, kFormatVersion);
  }
  DatasetInfo info;
  const std::string task = file.attribute_text(kRoot, "task");
  if (task != name_of(Task::kClassification) && task != name_of(Task::kRegression)) {
    fail(ErrorKind::kData, "{}: task '{}', wanted classification or regression", file.path(), task);
  }
  info.task = task == name_of(Task::kRegression) ? Task::kRegression : Task::kClassification;
  info.class_names = read_names(file, "class_names");
  info.feature_names = read_names(file, "feature_names");
  info.target_names = read_names(file, "target_names");
  info.mean = read_numbers(file, "mean");
  info.std = read_numbers(file, "std");
  info.target_mean = read_numbers(file, "target_mean");
  info.target_std = read_numbers(file, "target_std");
  info.fill = read_numbers(file, "fill");
  info.source = text_or_nothing(file, "source");
  info.source_sha256 = text_or_nothing(file, "source_sha256");
  info.split_method = text_or_nothing(file, "split_method");
  if (file.has_attribute(kRoot, "seed")) info.seed = file.attribute_int(kRoot, "seed");
  return info;
}

Split read_prepared_split(const Hdf5Reader& file, const std::string& name) {
  return {file.read(fmt::format("/{}/x", name)), file.read(fmt::format("/{}/y", name))};
}

}  // namespace mica::data
