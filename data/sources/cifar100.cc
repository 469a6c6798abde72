// CIFAR-100, whose records have two labels: one of 20 coarse classes, then one of 100 fine ones.
#include "core/base/error.h"
#include "data/sources/cifar.h"

namespace mica::data {

SourceData read_cifar100_source(const PrepareOptions& options, const ProgressFunction& progress) {
  constexpr CifarLayout kFine = {2, 1, 100, "fine_label_names.txt"};
  constexpr CifarLayout kCoarse = {2, 0, 20, "coarse_label_names.txt"};
  const Folder folder(options.path, "cifar-100-binary");
  CifarFiles files;
  for (const char* split : {"train", "test"}) {
    const std::string name = fmt::format("{}.bin", split);
    if (folder.has(name)) files[split] = {name};
  }
  if (files.empty()) fail(ErrorKind::kData, "{}: no train.bin or test.bin here", folder.path());
  return read_cifar(folder, files, options.labels == "coarse" ? kCoarse : kFine, progress);
}

}  // namespace mica::data
