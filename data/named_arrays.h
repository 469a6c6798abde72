// Arrays by name, as NPZ, NPY and HDF5 files bring them, to a data set.
//
//   SourceData data = from_named_arrays(arrays, "mnist.npz", options);
//
// The names that are understood, in any case: x and y; data or images or features, with label(s),
// target(s) or y; each with train, val (validation, valid) or test joined by _ or /, in front or
// behind: x_train, train/x, test_labels. arr_0 and arr_1 are x and y. A name that fits none of
// these is an error listing what is there.
#pragma once

#include <map>
#include <string>

#include "core/io/host_tensor.h"
#include "data/source.h"

namespace mica::data {

/// x: uint8 with 3 or 4 axes are images, (N, H, W[, C]) or (N, C, H, W); everything else becomes
/// float32 features. y: integers (N,) or (N, 1) are labels, floats (N,) or (N, T) targets, unless
/// options.task says otherwise. Errors begin with `where`.
SourceData from_named_arrays(std::map<std::string, HostTensor> arrays, const std::string& where,
                             const PrepareOptions& options);

/// True if the name is one that from_named_arrays understands.
bool is_array_name(const std::string& name);

}  // namespace mica::data
