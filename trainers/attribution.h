// Which layer of a network a step of its plan belongs to, by the shapes it works on.
//
//   Attribution layers(build_layers(model, example, output, seed), example, batch);
//   layers.find("conv2d", "128x28x28x1, 20x5x5x1 -> 128x28x28x20");      // "0 conv2d"
//
// Plans know no layers: steps are merged, fused and turned round. What tells is, in this order, a
// parameter's shape along with the layer's input or output, a parameter's shape (updates), the op's
// name with the layer's input or output, and the layer's output. Layers that can't be told apart
// are all named: "4,6 linear".
#pragma once

#include <set>
#include <string>
#include <vector>

#include "trainers/model.h"

namespace mica::trainers {

class Attribution {
 public:
  Attribution() = default;
  Attribution(const std::vector<BuiltLayer>& layers, const Shape& example, int64_t batch);

  /// "" when no layer fits. `shapes` as Profile::Row has them.
  std::string find(const std::string& op, const std::string& shapes) const;

 private:
  struct Layer {
    std::string type;
    std::set<std::string> activations;  // input and output, as images and as rows
    std::set<std::string> parameters;   // as they are and transposed
    std::string output;
  };
  std::vector<Layer> layers_;
};

/// "128x28x28x1"
std::string shape_text(const Shape& shape);

}  // namespace mica::trainers
