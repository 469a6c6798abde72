#include "tests/fuzz/sources.h"

// CIFAR-10 or -100, the length of the file of names, that file, and the records.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mica;
  Input input(data, size);
  const bool fine = input.number(2) == 1;
  data::PrepareOptions options;
  options.path = fuzz_folder() + (fine ? "/100" : "/10");
  std::filesystem::create_directories(options.path);
  const size_t names = input.number(256);
  const std::string names_file = fine ? "/fine_label_names.txt" : "/batches.meta.txt";
  write_input(options.path + names_file, input.bytes(names));
  write_input(options.path + (fine ? "/train.bin" : "/data_batch_1.bin"), input.rest());
  return read_source(fine ? data::read_cifar100_source : data::read_cifar10_source, options);
}
