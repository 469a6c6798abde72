// Models handed on to other programs as ONNX files (opset 17), which ONNX Runtime, OpenVINO,
// TensorRT and browsers run.
//
//   std::string bytes = nn::to_onnx(model, {28, 28, 1});       // of a model for 28 x 28 x 1 images
//   write_file("model.onnx", bytes);
//
// The file computes what forward does in eval mode, in float32. Its input "input" has shape
// (batch, example...) and its output "output" (batch, ...) with any batch size. Images enter as
// here, (batch, height, width, channels), unless `channels_first` is set; where layers of ONNX want
// channels first, values are transposed once on the way in and once on the way out of such a part.
// Equal models give equal bytes.
//
// A layer is known to ONNX by a `rule` of its type in onnx_rules.cc; a layer without one is
// Error(kUsage) that names it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/module.h"

namespace mica::nn {

struct OnnxOptions {
  std::string name = "mica";    // of the graph
  std::string doc = {};         // for people
  bool channels_first = false;  // images enter as (batch, channels, height, width)
  bool integer_input = false;   // int64 instead of float32, for a model that begins with embedding
  /// (x - mean) / std, for every entry of the last axis, becomes a part of the file; and
  /// y target_std + target_mean. Empty: as it is.
  std::vector<double> mean = {}, std = {}, target_mean = {}, target_std = {};
  std::map<std::string, std::string> metadata = {};  // "class_names", ...
};

/// The bytes of the file. `example` is the shape of the input without the batch.
std::string to_onnx(Module& model, const Shape& example, const OnnxOptions& options = {});

}  // namespace mica::nn
