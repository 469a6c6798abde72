// Weights in files of Keras.
//
//   std::map<std::string, Array> weights = load_keras("model.keras");
//   weights.at("layers/dense/vars/0");                 // the first Dense's kernel, (in, out)
//   weights.at("layers/dense_1/vars/1");               // the second Dense's bias
//
// Read are .keras files (a zip archive with model.weights.h5), what Keras 3 saves as .weights.h5,
// and the older .h5 files of whole models or weights, whose layers have names of their own: these
// get the names that Keras 3 would use, by the type of each layer and its number among those. State
// of optimizers and random generators is left out. Errors are Error(kData) naming the file.
#pragma once

#include <map>
#include <string>

#include "core/graph/array.h"

namespace mica {

std::map<std::string, Array> load_keras(const std::string& path);

/// Whether an HDF5 file or a zip archive is laid out as Keras does. False for other files.
bool is_keras(const std::string& path);

}  // namespace mica
