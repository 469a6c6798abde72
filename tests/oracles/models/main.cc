// Writes models as ONNX files, each with an example and what it makes of it, for onnx_models.py:
//
//   models FOLDER CONFIG...       CASE.onnx and CASE.npz (x, y) for every layer and every config
//
// Weights and running statistics are random. Exit code 1: a layer that configs know has no case.
#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "core/io/array_io.h"
#include "core/io/file.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/view.h"
#include "nn/onnx.h"
#include "trainers/setup.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;

struct Case {
  std::string name;
  std::string model;
  Shape example;
  bool channels_first = false;
};

// Every setting of a layer that changes what it computes is in one of its cases.
const std::vector<Case> kCases = {
    {"linear", "[linear: 5]", {7}},
    {"linear_rows", "[linear: {out: 5, bias: false}]", {3, 7}},
    {"linear_images", "[linear: 5]", {4, 3, 7}},
    {"conv2d", "[conv2d: {out: 6, kernel: [3, 2], stride: [2, 1], padding: [1, 0]}]", {9, 8, 4}},
    {"conv2d_groups",
     "[conv2d: {out: 6, kernel: 3, dilation: [2, 1], groups: 2, bias: false}]",
     {9, 8, 4}},
    {"conv2d_channels_first", "[conv2d: 6, relu, max_pool2d: 2]", {9, 8, 4}, true},
    {"conv_transpose2d",
     "[conv_transpose2d: {out: 6, kernel: [3, 2], stride: [2, 1], padding: [1, 0],\n"
     "output_padding: [1, 0], groups: 2}]",
     {5, 4, 4}},
    {"conv_transpose2d_plain", "[conv_transpose2d: {out: 6, bias: false}]", {5, 4, 3}},
    {"adaptive_avg_pool2d", "[adaptive_avg_pool2d: 1, flatten, linear: 3]", {5, 4, 6}},
    {"adaptive_avg_pool2d_uneven", "[adaptive_avg_pool2d: {size: [3, 2]}]", {7, 5, 3}},
    {"upsample", "[upsample: {scale: [2, 3]}]", {3, 4, 5}},
    {"upsample_linear", "[upsample: {scale: [2, 3], mode: linear}]", {3, 4, 5}},
    {"max_pool2d", "[max_pool2d: {kernel: [3, 2], stride: [2, 1], padding: 1}]", {9, 8, 4}},
    {"max_pool2d_negative", "[linear: 4, max_pool2d: {kernel: 3, padding: 1}]", {9, 8, 4}},
    {"avg_pool2d", "[avg_pool2d: {kernel: [3, 2], stride: [2, 1], padding: 1}]", {9, 8, 4}},
    {"batch_norm", "[batch_norm: {eps: 1e-3}]", {5, 4, 6}},
    {"batch_norm_features", "[batch_norm: {affine: false}]", {6}},
    {"batch_norm_rows", "[batch_norm]", {5, 6}},
    {"layer_norm", "[layer_norm: {eps: 1e-3}]", {5, 6}},
    {"layer_norm_images", "[conv2d: 6, layer_norm: {affine: false}]", {5, 4, 6}},
    {"group_norm", "[group_norm: {groups: 3, eps: 1e-3}]", {5, 4, 6}},
    {"group_norm_rows", "[group_norm: {groups: 2, affine: false}]", {6}},
    {"rms_norm", "[rms_norm: {eps: 1e-3}]", {5, 6}},
    {"rms_norm_images", "[conv2d: 6, rms_norm: {affine: false}]", {5, 4, 6}},
    {"dropout", "[dropout: 0.3]", {5}},
    {"embedding", "[embedding: {count: 10, size: 4}, flatten, linear: 3]", {6}},
    {"flatten", "[flatten]", {3, 4, 2}},
    {"flatten_convolved", "[conv2d: 6, relu, flatten, linear: 5]", {5, 4, 6}},
    {"flatten_pixel", "[conv2d: {out: 6, kernel: [5, 4]}, flatten, linear: 5]", {5, 4, 6}},
    {"reshape", "[conv2d: 6, reshape: {shape: [4, 3, -1]}, conv2d: 2]", {5, 4, 6}},
    {"residual",
     "[conv2d: 4, residual: [batch_norm, conv2d: {out: 4, padding: 1}, relu], flatten,\n"
     "residual: [linear: 24, tanh]]",
     {5, 4, 3}},
    {"residual_projection",
     "[residual: {layers: [conv2d: {out: 6, stride: 2, padding: 1}, relu], shortcut: projection},\n"
     "residual: [layer_norm]]",
     {8, 8, 3}},
    {"concat",
     "[conv2d: 4, concat: [[conv2d: {out: 3, kernel: 1}], [layer_norm], [relu]], batch_norm]",
     {6, 5, 3}},
    {"concat_last", "[concat: [[layer_norm], [conv2d: {out: 3, kernel: 1}]]]", {4, 3, 5}},
    {"groups", "[{name: stem, layers: [conv2d: 4, relu]}]", {6, 5, 3}},
    {"relu", "[relu]", {5}},
    {"gelu", "[gelu]", {5}},
    {"silu", "[silu]", {5}},
    {"tanh", "[tanh]", {5}},
    {"sigmoid", "[sigmoid]", {5}},
    {"softplus", "[softplus]", {5}},
    {"mish", "[mish]", {5}},
    {"leaky_relu", "[leaky_relu: 0.2]", {5}},
    {"elu", "[elu: 1.5]", {5}},
    {"softmax", "[softmax]", {5}},
    {"softmax_convolved", "[conv2d: 6, softmax: 1, relu, softmax: 2, softmax]", {5, 4, 6}},
    {"log_softmax", "[log_softmax: 1]", {5, 4}},
    {"log_softmax_convolved", "[conv2d: 6, log_softmax]", {5, 4, 6}},
    {"convolutions_and_norms",
     "[conv2d: 6, batch_norm, silu, max_pool2d: 2, conv2d: {out: 4, padding: 1}, layer_norm,\n"
     "gelu, avg_pool2d: 2, flatten, batch_norm, linear: 3, log_softmax]",
     {11, 10, 3}},
};

RunConfig config_of(const std::string& model) {
  return parse_config(fmt::format("data: {{path: none.h5}}\nmodel: {}\nloss: mse\n"
                                  "optimizer: {{sgd: {{lr: 0.1}}}}\n",
                                  model),
                      "case", ".");
}

// Nothing is 0 or 1 as in new norms, and no variance is negative.
void randomize(nn::Module& network) {
  uint64_t seed = 1;
  for (auto& [name, array] : network.named_parameters()) {
    *array = *array + 0.3f * random::normal(array->shape(), random::key(seed++));
  }
  for (auto& [name, array] : network.named_buffers()) {
    *array = abs(*array + 0.3f * random::normal(array->shape(), random::key(seed++)));
  }
}

void write(const fs::path& folder, const Case& one, const RunConfig& config, bool integers) {
  const auto network = build_network(config, one.example, {});
  randomize(*network);
  network->eval();
  Shape shape = {5};
  shape.append(one.example.begin(), one.example.end());
  const Array x = integers ? random::randint(0, 10, shape, random::key(0), int64)
                           : random::normal(shape, random::key(0));
  Array y = network->forward(x);
  nn::OnnxOptions options;
  options.integer_input = integers;
  options.channels_first = one.channels_first;
  const std::string path = (folder / one.name).string();
  write_file(path + ".onnx", nn::to_onnx(*network, one.example, options));
  save_npz(path + ".npz", {{"x", one.channels_first ? transpose(x, {0, 3, 1, 2}) : x}, {"y", y}});
}

int run(const fs::path& folder, const std::vector<fs::path>& configs) {
  std::set<std::string> covered;
  for (const Case& one : kCases) {
    const RunConfig config = config_of(one.model);
    const bool integers = one.name == "embedding";
    write(folder, one, config, integers);
    covered.insert(one.name);
  }
  for (const fs::path& path : configs) {
    const RunConfig config = load_config(path.string());
    const std::string name = path.stem().string();
    const Shape example = name.starts_with("cifar") ? Shape{32, 32, 3} : Shape{28, 28, 1};
    write(folder, {name, "", example, false}, config, false);
  }
  int missing = 0;
  for (const nn::ModuleRow& row : nn::module_rows()) {
    if (covered.contains(std::string(row.name))) continue;
    fmt::print("no case for layer {}\n", row.name);
    ++missing;
  }
  return missing == 0 ? 0 : 1;
}

}  // namespace
}  // namespace mica::trainers

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    return mica::trainers::run(argv[1], {argv + 2, argv + argc});
  } catch (const mica::Error& error) {
    fmt::print("{}\n", error.what());
    return 1;
  }
}
