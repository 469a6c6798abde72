// Files of the safetensors format: named arrays and texts, without code and mapped as they lie.
//
//   SafetensorsFile file = load_safetensors("model.safetensors");
//   Array w = file.arrays.at("layer.weight");          // read from the disk when it is used
//   std::string format = file.metadata["format"];
//   save_safetensors("copy.safetensors", file.arrays, {{"format", "mica"}});
//
// The layout (https://huggingface.co/docs/safetensors): 8 bytes with the length of a JSON text, the
// text, then the values, little-endian and row-major, tensor after tensor. Reading is strict: a
// text of more than 100 MB, names given twice, unknown keys or dtypes, offsets that run backwards,
// overlap, leave holes or do not fit the shape, and bytes too few or too many are Error(kData)
// naming the file and the tensor. All dtypes of Mica are written; of the format's others (8-bit
// floats, for example) none is read. Written files have the tensors with larger elements first, so
// that all are aligned; equal contents give equal bytes.
#pragma once

#include <map>
#include <string>

#include "core/graph/array.h"

namespace mica {

struct SafetensorsFile {
  std::map<std::string, Array> arrays;
  std::map<std::string, std::string> metadata;
};

SafetensorsFile load_safetensors(const std::string& path);
/// Evaluates the arrays and replaces the file in one step. Throws Error(kUsage) for the name
/// "__metadata__", which the format keeps for itself.
void save_safetensors(const std::string& path, const std::map<std::string, Array>& arrays,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace mica
