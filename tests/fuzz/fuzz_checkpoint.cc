#include "core/eval/eval.h"
#include "tests/fuzz/edited_file.h"
#include "trainers/checkpoint.h"
#include "trainers/config.h"
#include "trainers/setup.h"

namespace mica {
namespace {

constexpr const char* kConfig = R"(
data: {path: data.h5}
model:
  - linear: 3
  - batch_norm
  - relu
  - linear: 2
loss: cross_entropy
optimizer: {adam: {lr: 0.01}}
)";

Array values(const Shape& shape) {
  return Array::from(std::vector<float>(static_cast<size_t>(size_of(shape)), 0.5f), shape);
}

trainers::Checkpoint good_checkpoint() {
  trainers::Checkpoint good;
  const auto network = trainers::build_network(
      trainers::parse_config(kConfig, "good.yaml", fuzz_folder()), {4}, {2});
  for (const auto& [name, array] : network->state()) {
    good.model[name] = values(array.shape());
    good.optimizer["moment/" + name] = values(array.shape());
  }
  good.example_shape = {4};
  good.normalization.mean = good.normalization.std = {1, 2, 3, 4};
  good.task = "classification";
  good.class_names = {"cat", "dog"};
  good.feature_names = {"a", "b", "c", "d"};
  good.fill = {0, 0, 0, 0};
  good.example_dtype = "float32";
  good.data_fingerprint = "0123456789abcdef";
  good.config = kConfig;
  return good;
}

const EditedFile& good_file() {
  static const EditedFile good = [] {
    const std::string path = fuzz_folder() + "/good.h5";
    trainers::save_checkpoint(good_checkpoint(), path);
    std::vector<std::pair<std::string, std::string>> attributes = {
        {"/", "format"}, {"/", "format_version"}, {"/state", "data"}};
    for (const char* name : {"example_shape", "mean", "std", "task", "class_names", "feature_names",
                             "fill", "example_dtype"}) {
      attributes.emplace_back("/model", name);
    }
    const trainers::RunState state;
    for_each_field(state, [&](std::string_view name, const auto&) {
      attributes.emplace_back("/state", std::string(name));
    });
    EditedFile file;
    file.take(path, attributes);
    return file;
  }();
  return good;
}

// As `mica evaluate` and `mica train --resume` open one: weights into the network of its config.
void open(const std::string& path) {
  const trainers::Checkpoint checkpoint = trainers::load_checkpoint(path);
  for (const auto* arrays : {&checkpoint.model, &checkpoint.optimizer}) {
    for (const auto& [name, array] : *arrays) array.to_bytes();
  }
  try {
    const auto config = trainers::parse_config(checkpoint.config, path, fuzz_folder());
    const auto network = trainers::build_network(config, checkpoint.example_shape, {2});
    network->load_state(checkpoint.model);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUsage) throw;  // a checkpoint of another model
  }
}

}  // namespace
}  // namespace mica

// An HDF5 file as it is, or else edits of a good checkpoint.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mica;
  let_children_die();
  const std::string path = fuzz_folder() + "/checkpoint.h5";
  if (size > 4 && std::memcmp(data, "\x89HDF", 4) == 0) {
    write_input(path, {data, size});
  } else {
    Input input(data, size);
    EditedFile file = good_file();
    file.edit(input);
    try {
      file.save(path);
    } catch (const Error&) {
      return 0;  // nothing that can be written
    }
    if (size == 0) open(path);
  }
  return expect_errors(ErrorKind::kData, path, [&] { open(path); });
}
