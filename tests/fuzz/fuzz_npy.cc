#include "core/io/array_io.h"
#include "core/io/npy.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return mica::read_as_file(data, size, [](const std::string& path) {
    const mica::HostTensor tensor = mica::read_npy(path);
    if (mica::load_npy(path).to_bytes() != tensor.bytes)
      mica::broken("mapped and read differ", path);
  });
}
