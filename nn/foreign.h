// The weights of a model as other frameworks name them and lay them out.
//
//   for (const ForeignWeight& weight : foreign_weights(model, {28, 28, 1}, Framework::kTorch)) {
//     arrays[weight.foreign_name] = weight.to_foreign(model.state().at(weight.name));
//   }
//
// What differs between them:
//
//   PyTorch  kernels of convolutions are (out, in, height, width); images are flattened channels
//            first, so that the columns of a linear layer after flatten, and the features of norms
//            between, are in that order; names as here, those of nn.Sequential: "0.weight".
//   MLX      lays out as Mica does; the layers of a Sequential are in its member "layers":
//            "layers.0.weight".
//   Keras    kernels are (in, out) and (height, width, in, out); names as in the HDF5 part of a
//            .keras file, by type and number: "layers/conv2d_1/vars/0", which is the second
//            Conv2D's kernel; its bias is .../1. A BatchNormalization has gamma, beta, mean,
//            variance.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nn/module.h"

namespace mica::nn {

enum class Framework { kMica, kTorch, kMlx, kKeras };

/// "mica", "torch", "mlx", "keras".
std::string_view name_of(Framework framework);

/// One array of a model's state(), there and here.
struct ForeignWeight {
  std::string name;          // as in state()
  std::string foreign_name;  // there
  Shape shape, foreign_shape;
  // There is reshape(transpose(reshape(here, split), axes), foreign_shape).
  Shape split;
  std::vector<int> axes;

  /// The array as it lies there.
  Array to_foreign(const Array& here) const;
  /// And back.
  Array to_mica(const Array& there) const;
};

/// Every array of the model's state, in the order of its layers. `example` is the shape of an
/// input without the batch.
std::vector<ForeignWeight> foreign_weights(Module& model, const Shape& example,
                                           Framework framework);

}  // namespace mica::nn
