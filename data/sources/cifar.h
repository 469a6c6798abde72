// What the binary versions of CIFAR-10 and CIFAR-100 have in common.
//
//   constexpr CifarLayout kLayout = {1, 0, 10, "batches.meta.txt"};
//   SourceData data = read_cifar(Folder(path, "cifar-10-batches-bin"),
//                                {{"test", {"test_batch.bin"}}}, kLayout, progress);
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/folder.h"
#include "data/source.h"

namespace mica::data {

struct CifarLayout {
  size_t label_bytes;  // in front of a record's pixels
  size_t label_at;     // the one of them that is kept
  int64_t classes;
  const char* names_file;  // a name a line
};

using CifarFiles = std::map<std::string, std::vector<std::string>>;  // names by split

SourceData read_cifar(const Folder& folder, const CifarFiles& files, const CifarLayout& layout,
                      const ProgressFunction& progress);

}  // namespace mica::data
