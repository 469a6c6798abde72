// The `model:` list of a config, turned into a network.
//
//   Model model = read_model(*config.find("model"), errors);      // names and settings
//   auto network = build_network(model, {28, 28, 1}, seed);       // sizes
//
// A list item is a layer ("relu", "linear: 450", "conv2d: {out: 20, kernel: 5}") or a block that is
// repeated, once for each set of values or a number of times:
//
//   - repeat: [{channels: 20}, {channels: 50}]
//     layers: [conv2d: {out: $channels, kernel: 5}, relu, max_pool2d: 2]
//
// `$channels` stands for the value; blocks may contain blocks, and inner names hide outer ones.
// Input sizes follow from the layer before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/registry.h"
#include "trainers/reader.h"

namespace mica::trainers {

struct Layer {
  Typed typed;
  std::unique_ptr<nn::ModuleConfig> config;
};
using Model = std::vector<Layer>;

/// Reads the list; everything wrong with it goes to `errors`.
Model read_model(const Value& list, Diagnostics& errors);

/// The layers as a list with repeated blocks written out and every setting filled in.
Value model_value(const Model& model);

/// One layer of a built network and what it makes of its input.
struct BuiltLayer {
  nn::ModulePointer module;
  std::string type;
  Shape output;  // first axis the batch
};

/// Builds the layers for examples of shape `example`, so that the first layer gets
/// (batch, example...). Initial weights follow from the seed and the layer's position. The
/// result must have shape (batch, outputs); outputs = 0 accepts any. Throws a usage Error placed at
/// the layer whose input does not fit, with got and wanted shapes.
std::vector<BuiltLayer> build_layers(const Model& model, const Shape& example, int64_t outputs,
                                     int64_t seed);

}  // namespace mica::trainers
