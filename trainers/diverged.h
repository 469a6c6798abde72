// Where a number that is not finite came from.
//
//   find_not_finite(*network, batch, step.key_of(number), "float32");
//       // "layer 3 (linear) gives inf or nan for rows 17, 212 of the training split"
#pragma once

#include <string>

#include "data/loader.h"
#include "nn/module.h"

namespace mica::trainers {

/// Runs the batch through the network as the step did, layer by layer, and says what is first not
/// finite: the input, a parameter, a layer's output, or else the loss itself. For display. The
/// network stays as it was.
std::string find_not_finite(nn::Module& network, const data::Batch& batch, const Array& key,
                            const std::string& precision);

}  // namespace mica::trainers
