#include "data/source.h"
#include "tests/fuzz/sources.h"

// The number of classes, the length of the images' file, that file, and the labels' file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mica;
  Input input(data, size);
  data::PrepareOptions options;
  options.path = fuzz_folder();
  options.classes = static_cast<int64_t>(input.number(256));
  const size_t images = input.number(65536);
  write_input(options.path + "/train-images-idx3-ubyte", input.bytes(images));
  write_input(options.path + "/train-labels-idx1-ubyte", input.rest());
  return read_source(data::read_idx_source, options);
}
