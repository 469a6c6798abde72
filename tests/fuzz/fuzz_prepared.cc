#include "data/dataset.h"
#include "data/prepared_file.h"
#include "tests/fuzz/edited_file.h"
#include "tests/fuzz/sources.h"

namespace mica {
namespace {

const EditedFile& good_file(bool classes) {
  static const auto make = [](bool classes) {
    data::DatasetInfo info;
    data::Split split;
    if (classes) {
      info.class_names = {"cat", "dog", "cow"};
      split = {HostTensor(uint8, {4, 2, 3, 1}), HostTensor::from<int32_t>({0, 2, 1, 2}, {4})};
      info.mean = {3};
      info.std = {2};
    } else {
      info.task = data::Task::kRegression;
      info.feature_names = {"a", "b"};
      info.target_names = {"y"};
      split = {HostTensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2}),
               HostTensor::from<float>({1, 2, 3}, {3, 1})};
      info.mean = {3, 4};
      info.std = {2, 2};
      info.target_mean = {2};
      info.target_std = {1};
    }
    const std::string path = fuzz_folder() + "/good.h5";
    data::write_prepared(path, info, {{"train", split}, {"test", split}});
    std::vector<std::pair<std::string, std::string>> attributes;
    for (const char* name :
         {"format", "format_version", "task", "class_names", "feature_names", "target_names",
          "mean", "std", "source", "source_sha256", "split_method", "seed"}) {
      attributes.emplace_back("/", name);
    }
    if (!classes) attributes.insert(attributes.end(), {{"/", "target_mean"}, {"/", "target_std"}});
    EditedFile file;
    file.take(path, attributes);
    return file;
  };
  static const EditedFile labels = make(true), numbers = make(false);
  return classes ? labels : numbers;
}

void check_dataset(const std::string& path) {
  const auto dataset = data::Dataset::open(path);
  data::SourceData all;
  all.task = dataset->info().task;
  all.class_names = dataset->info().class_names;
  for (const std::string& name : dataset->split_names()) {
    all.splits[name] = dataset->split(name);
    if (all.splits[name].sample_shape() != dataset->sample_shape()) broken("sample shape", name);
    if (all.splits[name].rows() != dataset->rows(name)) broken("rows", name);
  }
  check_source(all);
  if (dataset->fingerprint().empty()) broken("fingerprint", path);
}

}  // namespace
}  // namespace mica

// An HDF5 file as it is, opened as a data set and as a source of arrays; or else edits of a good
// data set (0 for labels, 1 for numbers, then the edits).
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mica;
  let_children_die();
  const std::string path = fuzz_folder() + "/data.h5";
  if (size > 4 && std::memcmp(data, "\x89HDF", 4) == 0) {
    write_input(path, {data, size});
    expect_errors(ErrorKind::kData, path, [&] { check_dataset(path); });
    data::PrepareOptions options;
    options.path = path;
    return read_source(data::read_hdf5_source, options);
  }
  Input input(data, size);
  EditedFile file = good_file(input.number(2) == 0);
  const bool whole = input.empty();
  file.edit(input);
  try {
    file.save(path);
  } catch (const Error&) {
    return 0;  // nothing that can be written
  }
  if (whole) check_dataset(path);
  return expect_errors(ErrorKind::kData, path, [&] { check_dataset(path); });
}
