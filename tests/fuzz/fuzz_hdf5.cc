#include "core/io/hdf5.h"
#include "tests/fuzz/fuzz.h"

namespace {

/// Reads on where one object is damaged.
template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const mica::Error& error) {
    if (error.kind() != mica::ErrorKind::kData) throw;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mica::let_children_die();
  return mica::read_as_file(data, size, [](const std::string& path) {
    const mica::Hdf5Reader file(path);
    attempt([&] { file.attribute("/", "mean"); });
    attempt([&] { file.attribute_texts("/", "names"); });
    for (const std::string& name : file.datasets()) {
      attempt([&] {
        if (file.is_numeric(name))
          file.read(name);
        else
          file.read_texts(name);
      });
    }
  });
}
