// Examples from NPY, NPZ and HDF5 files.
#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/io/hdf5.h"
#include "core/io/npy.h"
#include "data/prepared_file.h"
#include "trainers/diagnostics.h"
#include "trainers/predict/examples.h"

namespace mica::trainers {
namespace {

constexpr int64_t kRowsAtOnce = 1024;

// Rows in an array of this shape, 0 for a single example, -1 if it does not fit. A last axis of one
// channel may be left out, and rows may be flat.
int64_t rows_in(const Shape& shape, const ExampleSpec& spec) {
  std::vector<Shape> forms = {spec.shape};
  if (spec.shape.size() > 1 && spec.shape.back() == 1) {
    forms.emplace_back(spec.shape.begin(), spec.shape.end() - 1);
  }
  if (spec.shape.size() > 1) forms.push_back({size_of(spec.shape)});
  for (const Shape& form : forms) {
    if (shape == form) return 0;
    if (shape.size() == form.size() + 1 && Shape(shape.begin() + 1, shape.end()) == form) {
      return shape[0];
    }
  }
  return -1;
}

void check_fits(const Shape& shape, const ExampleSpec& spec, const std::string& where) {
  if (rows_in(shape, spec) >= 0) return;
  const bool channels_first = shape.size() == 4 && spec.shape.size() == 3 &&
                              Shape{shape[2], shape[3], shape[1]} == spec.shape;
  fail(ErrorKind::kData, "{}: an array of shape {}, but the model takes rows of shape {}{}", where,
       to_string(shape), to_string(spec.shape), channels_first ? " (channels come last)" : "");
}

// `first` is the row of the file that the tensor begins with; -1: it is a single example.
void take_rows(const HostTensor& tensor, const std::string& path, int64_t first,
               const ExampleSink& sink) {
  const HostTensor numbers = convert(tensor, Dtype::kFloat32);
  const std::span<const float> values = numbers.as<float>();
  const int64_t rows = first < 0 ? 1 : tensor.rows();
  const size_t width = rows == 0 ? 0 : values.size() / static_cast<size_t>(rows);
  for (int64_t row = 0; row < rows; ++row) {
    const auto own = values.subspan(static_cast<size_t>(row) * width, width);
    sink.take({path, first < 0 ? -1 : first + row, {own.begin(), own.end()}});
  }
}

// Numbers between 0 and 1 for a model of bytes are a mistake that would show in the results only.
void compare_scales(const HostTensor& tensor, const ExampleSpec& spec, const std::string& where,
                    const ExampleSink& sink) {
  if (tensor.size() == 0 || !spec.bytes || is_integer(tensor.dtype)) return;
  const HostTensor numbers = convert(tensor, Dtype::kFloat32);
  const std::span<const float> values = numbers.as<float>();
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*most > 1 || *least < -1) return;
  sink.note(fmt::format("{}: numbers from {:g} to {:g}, but the model was trained on 0 to 255",
                        where, *least, *most));
}

void take_tensor(const HostTensor& tensor, const ExampleSpec& spec, const std::string& path,
                 const std::string& where, const ExampleSink& sink) {
  check_fits(tensor.shape, spec, where);
  compare_scales(tensor, spec, where, sink);
  take_rows(tensor, path, rows_in(tensor.shape, spec) == 0 ? -1 : 0, sink);
}

// The wanted array, or the only one that fits.
std::string choose(const std::map<std::string, Shape>& arrays, const ExampleSpec& spec,
                   const std::string& path) {
  std::vector<std::string> names, fitting, listed;
  for (const auto& [name, shape] : arrays) {
    names.push_back(name);
    listed.push_back(fmt::format("{} {}", name, to_string(shape)));
    if (rows_in(shape, spec) >= 0) fitting.push_back(name);
  }
  if (!spec.array.empty()) {
    if (arrays.contains(spec.array)) return spec.array;
    fail(ErrorKind::kData, "{}: no array '{}'{}", path, spec.array, suggestion(spec.array, names));
  }
  if (fitting.size() == 1) return fitting[0];
  if (fitting.empty()) {
    fail(ErrorKind::kData, "{}: no array has rows of shape {} (there is: {})", path,
         to_string(spec.shape), fmt::join(listed, ", "));
  }
  fail(ErrorKind::kData, "{}: several arrays fit: {}; name one with --array", path,
       fmt::join(fitting, ", "));
}

// The examples of a prepared file's split.
std::string prepared_array(const Hdf5Reader& file, const ExampleSpec& spec,
                           const ExampleSink& sink) {
  std::vector<std::string> there;
  for (const char* name : data::kSplitNames) {
    if (file.is_dataset(fmt::format("/{}/x", name))) there.push_back(name);
  }
  if (there.empty()) fail(ErrorKind::kData, "{}: the data set is empty", file.path());
  const std::string split = spec.split.empty() ? there.back() : spec.split;
  if (std::find(there.begin(), there.end(), split) == there.end()) {
    fail(ErrorKind::kData, "{}: no split '{}'{}", file.path(), split, suggestion(split, there));
  }
  if (spec.split.empty() && there.size() > 1) {
    sink.note(fmt::format("{}: split '{}' of {}", file.path(), split, fmt::join(there, ", ")));
  }
  return split + "/x";
}

}  // namespace

void read_npy_file(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink) {
  take_tensor(read_npy(path), spec, path, path, sink);
}

void read_npz_file(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink) {
  const std::map<std::string, HostTensor> tensors = read_npz(path);
  std::map<std::string, Shape> arrays;
  for (const auto& [name, tensor] : tensors) arrays.emplace(name, tensor.shape);
  const std::string name = choose(arrays, spec, path);
  take_tensor(tensors.at(name), spec, path, fmt::format("{}: {}", path, name), sink);
}

void read_hdf5_file(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink) {
  const Hdf5Reader file(path);
  std::string name;
  if (spec.array.empty() && data::is_prepared(file)) {
    name = prepared_array(file, spec, sink);
  } else {
    std::map<std::string, Shape> arrays;
    for (const std::string& dataset : file.datasets()) {
      if (file.is_numeric(dataset)) arrays.emplace(dataset, file.shape(dataset));
    }
    name = choose(arrays, spec, path);
  }
  const std::string where = fmt::format("{}: {}", path, name);
  const Shape shape = file.shape(name);
  check_fits(shape, spec, where);
  if (rows_in(shape, spec) == 0) return take_tensor(file.read(name), spec, path, where, sink);
  for (int64_t row = 0; row < shape[0]; row += kRowsAtOnce) {
    const HostTensor rows = file.read_rows(name, row, std::min(kRowsAtOnce, shape[0] - row));
    if (row == 0) compare_scales(rows, spec, where, sink);
    take_rows(rows, path, row, sink);
  }
}

}  // namespace mica::trainers
