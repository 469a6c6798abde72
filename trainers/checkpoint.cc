#include "trainers/checkpoint.h"

#include "core/base/error.h"
#include "core/base/settings.h"
#include "core/io/hdf5.h"

namespace mica::trainers {
namespace {

constexpr std::string_view kFormat = "mica-checkpoint";
constexpr int64_t kVersion = 1;

HostTensor numbers(const std::vector<double>& values) {
  return HostTensor::from(values, {static_cast<int64_t>(values.size())});
}

std::vector<double> read_numbers(const Hdf5Reader& in, const std::string& name) {
  if (!in.has_attribute("/model", name)) return {};
  const HostTensor tensor = convert(in.attribute("/model", name), float64);
  const std::span<const double> values = tensor.as<double>();
  return {values.begin(), values.end()};
}

void write_names(Hdf5Writer& out, const std::string& name, const std::vector<std::string>& names) {
  if (!names.empty()) out.set_attribute("/model", name, names);
}

std::vector<std::string> read_names(const Hdf5Reader& in, const std::string& name) {
  if (!in.has_attribute("/model", name)) return {};
  return in.attribute_texts("/model", name);
}

void write_arrays(Hdf5Writer& out, const std::string& group,
                  const std::map<std::string, Array>& arrays) {
  out.create_group(group);
  for (const auto& [name, array] : arrays) {
    out.write(fmt::format("{}/{}", group, name), to_host(array));
  }
}

std::map<std::string, Array> read_arrays(const Hdf5Reader& in, const std::string& group) {
  std::map<std::string, Array> arrays;
  for (const std::string& name : in.list(group)) {
    const std::string path = fmt::format("{}/{}", group, name);
    if (in.is_dataset(path)) arrays.emplace(name, to_array(in.read(path)));
  }
  return arrays;
}

void write_state(Hdf5Writer& out, const RunState& state) {
  for_each_field(state, [&](std::string_view name, const auto& value) {
    if constexpr (std::is_floating_point_v<std::decay_t<decltype(value)>>) {
      out.set_attribute("/state", std::string(name), value);
    } else {
      out.set_attribute("/state", std::string(name), static_cast<int64_t>(value));
    }
  });
}

void read_state(const Hdf5Reader& in, RunState& state) {
  for_each_field(state, [&](std::string_view name, auto& value) {
    using T = std::decay_t<decltype(value)>;
    // Files written before a field was there have its initial value.
    if (!in.has_attribute("/state", std::string(name))) return;
    if constexpr (std::is_floating_point_v<T>) {
      value = in.attribute_double("/state", std::string(name));
    } else {
      value = static_cast<T>(in.attribute_int("/state", std::string(name)));
      if (value < 0) fail(ErrorKind::kData, "{}: the {} of /state is {}", in.path(), name, value);
    }
  });
}

void check_format(const Hdf5Reader& in) {
  const bool marked = in.has_attribute("/", "format");
  const std::string format = marked ? in.attribute_text("/", "format") : "";
  if (format == "mica-dataset") {
    fail(ErrorKind::kData, "{}: this is a data set, not a checkpoint", in.path());
  }
  if (format != kFormat) fail(ErrorKind::kData, "{}: not a checkpoint of Mica", in.path());
  const int64_t version = in.attribute_int("/", "format_version");
  if (version == kVersion) return;
  fail(ErrorKind::kData, "{}: checkpoint version {}, this program reads version {}", in.path(),
       version, kVersion);
}

}  // namespace

void save_checkpoint(const Checkpoint& checkpoint, const std::string& path) {
  Hdf5Writer out;
  out.set_attribute("/", "format", kFormat);
  out.set_attribute("/", "format_version", kVersion);
  write_arrays(out, "/model", checkpoint.model);
  const std::vector<int64_t> shape(checkpoint.example_shape.begin(),
                                   checkpoint.example_shape.end());
  out.set_attribute("/model", "example_shape",
                    HostTensor::from(shape, {static_cast<int64_t>(shape.size())}));
  for_each_field(checkpoint.normalization, [&](std::string_view name, const auto& values) {
    if (!values.empty()) out.set_attribute("/model", std::string(name), numbers(values));
  });
  out.set_attribute("/model", "task", checkpoint.task);
  write_names(out, "class_names", checkpoint.class_names);
  write_names(out, "feature_names", checkpoint.feature_names);
  write_names(out, "target_names", checkpoint.target_names);
  if (!checkpoint.fill.empty()) out.set_attribute("/model", "fill", numbers(checkpoint.fill));
  if (!checkpoint.example_dtype.empty()) {
    out.set_attribute("/model", "example_dtype", checkpoint.example_dtype);
  }
  write_arrays(out, "/state/optimizer", checkpoint.optimizer);
  if (!checkpoint.weights.empty()) write_arrays(out, "/state/weights", checkpoint.weights);
  write_state(out, checkpoint.state);
  out.set_attribute("/state", "data", checkpoint.data_fingerprint);
  out.write_text("/config", checkpoint.config);
  out.save(path);
}

Checkpoint load_checkpoint(const std::string& path) {
  const Hdf5Reader in(path);
  check_format(in);
  Checkpoint checkpoint;
  checkpoint.model = read_arrays(in, "/model");
  const HostTensor shape = convert(in.attribute("/model", "example_shape"), int64);
  for (const int64_t length : shape.as<int64_t>()) {
    if (length < 0) fail(ErrorKind::kData, "{}: example_shape has a length {}", path, length);
    checkpoint.example_shape.push_back(length);
  }
  for_each_field(checkpoint.normalization, [&](std::string_view name, auto& values) {
    values = read_numbers(in, std::string(name));
  });
  checkpoint.task = in.attribute_text("/model", "task");
  checkpoint.class_names = read_names(in, "class_names");
  checkpoint.feature_names = read_names(in, "feature_names");
  checkpoint.target_names = read_names(in, "target_names");
  checkpoint.fill = read_numbers(in, "fill");
  if (in.has_attribute("/model", "example_dtype")) {
    checkpoint.example_dtype = in.attribute_text("/model", "example_dtype");
  }
  checkpoint.optimizer = read_arrays(in, "/state/optimizer");
  if (in.has("/state/weights")) checkpoint.weights = read_arrays(in, "/state/weights");
  read_state(in, checkpoint.state);
  checkpoint.data_fingerprint = in.attribute_text("/state", "data");
  checkpoint.config = in.read_text("/config");
  return checkpoint;
}

}  // namespace mica::trainers
