// The JSON text in front of a .safetensors file, read and checked. For core/io only.
//
//   SafetensorsHeader header = parse_safetensors_header(text, value_bytes, path);
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/graph/op.h"

namespace mica {

constexpr const char* kSafetensorsMetadata = "__metadata__";

struct SafetensorsEntry {
  std::string name;
  Spec spec;
  uint64_t begin = 0, end = 0;  // of its values, from the first value of the file
};
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their values
  std::map<std::string, std::string> metadata;
};

/// "F32", "BF16", ...
std::string_view safetensors_name(Dtype dtype);

/// Throws Error(kData) unless the entries fill `value_bytes` bytes without gaps and overlaps.
SafetensorsHeader parse_safetensors_header(std::string_view text, uint64_t value_bytes,
                                           const std::string& where);

}  // namespace mica
