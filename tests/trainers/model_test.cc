// The model section of a config: layers, blocks, and what is said when they do not fit.
#include "trainers/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"

namespace mica::trainers {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> types(const Model& model) {
  std::vector<std::string> names;
  for (const Layer& layer : model) names.push_back(layer.typed.type);
  return names;
}

Model model_of(const std::string& text, Diagnostics& errors) {
  return read_model(parse_yaml(text, "c.yaml", errors), nullptr, errors);
}

TEST(Model, RepeatsBlocksWithValues) {
  Diagnostics errors;
  const Model model = model_of(
      "- repeat: [{c: 8, n: 2}, {c: 16, n: 1}]\n"
      "  layers:\n"
      "    - conv2d: {out: $c, kernel: 3}\n"
      "    - {repeat: $n, layers: [relu]}\n"
      "- flatten\n",
      errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  EXPECT_THAT(types(model), ElementsAre("conv2d", "relu", "relu", "conv2d", "relu", "flatten"));
  EXPECT_EQ(to_yaml(settings_value(model[3].config->settings())).substr(0, 8), "out: 16\n");
}

TEST(Model, MistakesAreNotRepeated) {
  for (const char* text : {"- {repeat: 100000, layers: [reul]}\n",
                           "- {repeat: 100001, layers: [{repeat: 100000, layers: [relu]}]}\n"}) {
    Diagnostics errors;
    model_of(text, errors);
    EXPECT_EQ(errors.count(), 1u) << text;
  }
}

TEST(Model, SaysWhatIsWrongWithBlocks) {
  Diagnostics errors;
  model_of(
      "- repeat: 2\n"
      "- repeat: [{c: 8}]\n"
      "  layers: [linear: $d]\n"
      "- repeat: [5]\n"
      "  layers: [relu]\n"
      "- repeat: -1\n"
      "  layers: [relu]\n"
      "- [relu]\n",
      errors);
  EXPECT_THAT(
      errors.lines(),
      ElementsAre("c.yaml:1:3: error: a repeat block needs 'layers: [...]'",
                  "c.yaml:3:20: error: unknown name '$d' (known: c)",
                  "c.yaml:4:12: error: each item of 'repeat' must be {name: value}, got '5'",
                  "c.yaml:6:11: error: 'repeat' must lie in [0, 100000], got -1",
                  "c.yaml:8:3: error: expected a layer, as 'name' or 'name: {setting: "
                  "value}', got a list"));
}

std::string shape_error(const std::string& text, const Shape& example, const Shape& output = {}) {
  Diagnostics errors;
  const Model model = model_of(text, errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  try {
    build_layers(model, example, output, 0);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Model, InfersSizes) {
  Diagnostics errors;
  const Model model =
      model_of("[conv2d: {out: 4, kernel: 3}, max_pool2d: 2, flatten, linear: 10]", errors);
  const std::vector<BuiltLayer> layers = build_layers(model, {8, 8, 1}, {10}, 0);
  ASSERT_EQ(layers.size(), 4u);
  EXPECT_EQ(to_string(layers[1].output), "(1, 3, 3, 4)");
  EXPECT_EQ(layers[3].module->parameter_count(), 36 * 10 + 10);
}

TEST(Model, NamesTheLayerThatDoesNotFit) {
  EXPECT_THAT(
      shape_error("- linear: 8\n- conv2d: {out: 4, kernel: 3}\n", {5}),
      testing::AllOf(HasSubstr("c.yaml:2:3: error: layer 1 (conv2d): "), HasSubstr("(1, 8)")));
  EXPECT_EQ(shape_error("- linear: 8\n- relu\n", {5}, {10}),
            "c.yaml:2:3: error: the model ends with shape (1, 8), but the data wants 10 outputs "
            "for each example: (1, 10); end it with 'linear: 10'");
  EXPECT_THAT(shape_error("- linear: 10\n", {8, 8, 1}, {10}), HasSubstr("shape (1, 8, 8, 10)"));
}

// Reads {blocks: ..., model: [...]}.
Model model_with_blocks(const std::string& text, Diagnostics& errors) {
  const Value config = parse_yaml(text, "c.yaml", errors);
  return read_model(*config.find("model"), config.find("blocks"), errors);
}

std::vector<std::string> parameter_names(const std::vector<BuiltLayer>& layers) {
  std::vector<std::string> names;
  for (const auto& [name, array] : join_layers(layers)->named_parameters()) names.push_back(name);
  return names;
}

TEST(Model, BlocksTakeValues) {
  Diagnostics errors;
  const Model model = model_with_blocks(
      "blocks:\n"
      "  dense: {layers: [linear: {out: $out, bias: $bias}, relu], defaults: {bias: true}}\n"
      "  twice: [dense: {out: $n}, dense: {out: $n, bias: false}]\n"
      "model: [{twice: {n: 3}, name: stem}, dense: {out: 2}]\n",
      errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  EXPECT_THAT(parameter_names(build_layers(model, {5}, {2}, 0)),
              ElementsAre("stem.0.weight", "stem.0.bias", "stem.2.weight", "1.weight", "1.bias"));
}

TEST(Model, SaysWhatIsWrongWithNamedBlocks) {
  Diagnostics errors;
  model_with_blocks(
      "blocks:\n"
      "  relu: [tanh]\n"
      "  dense: [linear: $out]\n"
      "  broken: 5\n"
      "  round: [round]\n"
      "model:\n"
      "  - dense\n"
      "  - dense: {out: 2, otu: 3}\n"
      "  - dense: 3\n"
      "  - dens: {out: 2}\n"
      "  - round\n"
      "  - {linear: 2, name: a.b}\n"
      "  - {linear: 2, name: a}\n"
      "  - {linear: 2, name: a}\n",
      errors);
  EXPECT_THAT(
      errors.lines(),
      ElementsAre("c.yaml:2:3: error: 'relu' is the name of a layer",
                  "c.yaml:4:3: error: block 'broken' must be a list of layers, or {layers: [...], "
                  "defaults: {name: value}}",
                  "c.yaml:5:10: error: blocks are nested more than 32 deep",
                  "c.yaml:7:5: error: block 'dense' needs 'out: value'",
                  "c.yaml:8:21: error: block 'dense' has no '$otu' (did you mean 'out'?)",
                  "c.yaml:9:12: error: block 'dense' takes {name: value}, got '3'",
                  "c.yaml:10:5: error: unknown layer 'dens' (did you mean 'dense'?)"));
}

TEST(Model, NamesAreWordsOfTheirOwn) {
  Diagnostics errors;
  model_of(
      "- {linear: 2, name: a.b}\n- {linear: 2, name: 3}\n- {relu: , name: a}\n"
      "- {linear: 2, name: a}\n",
      errors);
  EXPECT_THAT(
      errors.lines(),
      ElementsAre("c.yaml:1:21: error: a layer's 'name' must be a word without '.' and '/', got "
                  "'a.b'",
                  "c.yaml:2:21: error: a layer's 'name' must be a word without '.' and '/', got "
                  "'3'",
                  "c.yaml:4:4: error: two layers of one list are named 'a' (in a repeated block, "
                  "give the name as a value: name: $name)"));
}

TEST(Model, ResidualsAddWhatTheyGot) {
  Diagnostics errors;
  const Model model = model_of("- residual: [linear: 4, relu]\n", errors);
  const std::vector<BuiltLayer> layers = build_layers(model, {4}, {4}, 0);
  const auto network = join_layers(layers);
  const Array x = full({3, 4}, 0.5f);
  nn::NamedArrays weights = network->state();
  weights.at("0.body.0.weight") = ones({4, 4});
  weights.at("0.body.0.bias") = zeros({4});
  network->load_state(weights);
  EXPECT_THAT((*network)(x).to_vector<float>(), testing::Each(0.5f + 4 * 0.5f));
}

TEST(Model, ProjectionsFollowFromTheShapes) {
  Diagnostics errors;
  const Model model = model_of(
      "- residual:\n"
      "    layers: [conv2d: {out: 8, kernel: 3, stride: 2, padding: 1}]\n"
      "    shortcut: projection\n"
      "- residual: {layers: [conv2d: {out: 8, kernel: 3, padding: 1}], shortcut: projection}\n"
      "- flatten\n"
      "- residual: {layers: [linear: 3], shortcut: projection}\n"
      "- residual: {layers: [linear: 3], shortcut: [tanh]}\n",
      errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  const std::vector<BuiltLayer> layers = build_layers(model, {7, 7, 2}, {3}, 0);
  EXPECT_EQ(to_string(layers[0].output), "(1, 4, 4, 8)");
  EXPECT_THAT(
      parameter_names(layers),
      ElementsAre("0.body.0.weight", "0.body.0.bias", "0.shortcut.0.weight", "0.shortcut.1.weight",
                  "0.shortcut.1.bias", "1.body.0.weight", "1.body.0.bias", "3.body.0.weight",
                  "3.body.0.bias", "3.shortcut.0.weight", "3.shortcut.1.weight",
                  "3.shortcut.1.bias", "4.body.0.weight", "4.body.0.bias"));
}

TEST(Model, ConcatenatesBranches) {
  Diagnostics errors;
  const Model model =
      model_of("- concat: [[], [tanh, linear: 2], [{linear: 3, name: b}]]\n", errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  const std::vector<BuiltLayer> layers = build_layers(model, {4}, {9}, 0);
  EXPECT_THAT(parameter_names(layers), ElementsAre("0.branches.1.1.weight", "0.branches.1.1.bias",
                                                   "0.branches.2.b.weight", "0.branches.2.b.bias"));
  const Array x = ones({2, 4});
  const Array y = (*join_layers(layers))(x);
  EXPECT_EQ(to_string(y.shape()), "(2, 9)");
  EXPECT_EQ(y.to_vector<float>()[3], 1.0f);  // the empty branch passes x on
}

TEST(Model, SaysWhereBranchesDoNotFit) {
  EXPECT_THAT(
      shape_error("- residual: [linear: 8]\n", {5}),
      HasSubstr("c.yaml:1:3: error: layer 0 (residual): the layers make (1, 8) of (1, 5), so "
                "that the two can't be added"));
  EXPECT_THAT(shape_error("- concat: [[conv2d: 3], [max_pool2d: 4]]\n", {8, 8, 3}),
              HasSubstr("c.yaml:1:3: error: layer 0 (concat): [concat] branch 0 gives shape (1, 6, "
                        "6, 3), branch 1 (1, 2, 2, 3)"));
  EXPECT_THAT(shape_error("- residual: {layers: [flatten], shortcut: projection}\n", {4, 4, 2}),
              HasSubstr("no projection leads from (1, 4, 4, 2) to (1, 32)"));
  EXPECT_THAT(shape_error("- name: head\n  layers:\n    - residual:\n        - conv2d: 3\n", {5}),
              HasSubstr("c.yaml:4:11: error: layer head.0.body.0 (conv2d): "));
}

TEST(Model, SaysWhatIsWrongWithBranches) {
  Diagnostics errors;
  model_of(
      "- residual\n- residual: {shortcut: []}\n- residual: {layers: [], shortcut: x}\n"
      "- concat: []\n- concat\n- concat: [relu]\n",
      errors);
  EXPECT_EQ(errors.count(), 6u) << testing::PrintToString(errors.lines());
}

TEST(Model, WritesWhatItReads) {
  const std::string text =
      "[{layers: [{linear: {out: 4, bias: true}}, relu], name: stem},"
      " {residual: [{linear: {out: 4, bias: true}}]},"
      " {residual: {layers: [relu], shortcut: [tanh]}},"
      " {residual: {layers: [relu], shortcut: projection}},"
      " {concat: [[], [relu]]}, {relu: {}, name: last}]";
  Diagnostics errors;
  const Model model = model_of(text, errors);
  const std::string written = to_yaml(model_value(model));
  const Model again = model_of(written, errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  EXPECT_EQ(to_yaml(model_value(again)), written);
  EXPECT_EQ(parameter_names(build_layers(model, {4}, {}, 0)),
            parameter_names(build_layers(again, {4}, {}, 0)));
}

struct ScaleConfig {
  double factor = 1;
  FIELDS(ScaleConfig, factor)
};

class Scale : public nn::ModuleWith<Scale> {
 public:
  Scale(const ScaleConfig& config, const Shape& input, const Array&)
      : weight(full({input.back()}, config.factor)) {}
  Array weight;
  FIELDS(Scale, weight)
  Array forward(const Array& x) override { return x * weight; }
};

TEST(Model, KnowsRegisteredLayers) {
  nn::register_layer<Scale, ScaleConfig>("test_scale", "each feature times a trained factor");
  EXPECT_THROW((nn::register_layer<Scale, ScaleConfig>("linear", "")), Error);
  Diagnostics errors;
  const Model model = model_of("[test_scale: 3]", errors);
  EXPECT_THAT(errors.lines(), IsEmpty());
  const auto network = join_layers(build_layers(model, {2}, {2}, 0));
  EXPECT_THAT((*network)(ones({1, 2})).to_vector<float>(), ElementsAre(3.0f, 3.0f));
}

}  // namespace
}  // namespace mica::trainers
