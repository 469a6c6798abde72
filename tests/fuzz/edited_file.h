// HDF5 files as Mica writes them, with its checksum, in which single objects say something else:
// what a reader must check although the file as such is sound.
//
//   EditedFile file;
//   file.take("good.h5", {{"/", "format"}, {"/model", "task"}});   // datasets, and these
//   attributes file.edit(input);                                             // as the input says
//   file.save("bad.h5");
//
// An edit removes an object, or changes its type, its shape, a byte or its text.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/io/hdf5.h"
#include "tests/fuzz/fuzz.h"

namespace mica {

class EditedFile {
 public:
  void take(const std::string& path,
            const std::vector<std::pair<std::string, std::string>>& attributes);
  void edit(Input& input);
  void save(const std::string& path) const;

 private:
  using Texts = std::vector<std::string>;
  struct Object {
    std::string name, attribute;  // no attribute: a dataset
    std::variant<HostTensor, std::string, Texts> value;
  };
  std::vector<Object> objects_;
};

}  // namespace mica
