#include "core/io/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return mica::read_as_file(data, size, [](const std::string& path) {
    for (const auto& [name, array] : mica::load_safetensors(path).arrays) array.to_bytes();
  });
}
