// The `model:` list of a config, turned into a network.
//
//   Model model = read_model(*config.find("model"), config.find("blocks"), errors);
//   std::vector<BuiltLayer> layers = build_layers(model, {28, 28, 1}, {10}, seed);
//
// An item of the list is a layer ("relu", "linear: 450", "conv2d: {out: 20, kernel: 5}") or
//
//   - repeat: [{channels: 20}, {channels: 50}]    # once for each set of values, or a number
//     layers: [conv2d: {out: $channels, kernel: 5}, relu, max_pool2d: 2]
//   - residual: [linear: 64, relu, linear: 64]    # x + layers(x)
//   - residual: {layers: [...], shortcut: projection}    # shortcut(x) + layers(x)
//   - concat: [[linear: 8], [linear: 8, tanh]]    # branches side by side, joined by channels
//   - name: head                                  # its parameters are head.0.weight, ...
//     layers: [linear: 64, relu]
//   - linear: 10                                  # a name may stand beside any layer
//     name: logits
//
// `shortcut: projection` is nothing where the shapes agree, and else a 1x1 convolution (for images;
// its stride follows from the sizes) or a linear layer, and a batch norm, as in He et al. 2016
// (option B). A key of `blocks:` is a name for layers with values of their own:
//
//   blocks:
//     conv: [conv2d: {out: $out, kernel: 3, padding: 1, bias: false}, batch_norm, relu]
//   model: [conv: {out: 16}, conv: {out: 32}]
//
// `$channels` stands for the value; blocks may contain blocks, and inner names hide outer ones.
// Input sizes follow from the layer before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/container.h"
#include "nn/registry.h"
#include "trainers/reader.h"

namespace mica::trainers {

struct Layer;
using Model = std::vector<Layer>;

/// A layer, or layers within layers.
struct Layer {
  enum class Kind { kLayer, kGroup, kResidual, kConcat };

  Kind kind = Kind::kLayer;
  Typed typed;                               // type: "conv2d", "layers", "residual", "concat"
  std::string name;                          // empty: the position
  std::unique_ptr<nn::ModuleConfig> config;  // of kLayer
  /// The layers of a group; a residual's layers and its shortcut, if it has one; the branches.
  std::vector<Model> parts;
  bool projection = false;  // the shortcut follows from the shapes
};

/// Reads the list; everything wrong with it goes to `errors`. `blocks` may be null.
Model read_model(const Value& list, const Value* blocks, Diagnostics& errors);

/// The layers as a list with blocks written out and every setting filled in.
Value model_value(const Model& model);

/// One layer of a built network and what it makes of its input.
struct BuiltLayer {
  nn::ModulePointer module;
  std::string type;
  std::string name;  // as its parameters have it: "3", "stem", "4.body.0"
  Shape input;       // first axis the batch
  Shape output;
  std::vector<BuiltLayer> children;  // in the order of their parameters
};

/// Builds the layers for examples of shape `example`, so that the first layer gets
/// (batch, example...). Initial weights follow from the seed and the layer's position. The
/// result must have shape (batch, output...); an empty `output` takes any. Throws a usage Error
/// placed at the layer whose input does not fit, with got and wanted shapes.
std::vector<BuiltLayer> build_layers(const Model& model, const Shape& example, const Shape& output,
                                     int64_t seed);

/// The layers one after another.
std::shared_ptr<nn::Sequential> join_layers(const std::vector<BuiltLayer>& layers);

}  // namespace mica::trainers
