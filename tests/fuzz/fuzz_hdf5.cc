#include <pthread.h>

#include "core/io/hdf5.h"
#include "tests/fuzz/fuzz.h"

// The child that reads the file may crash, which is what it is for; libFuzzer must not take its end
// for that of the target.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

void die_quietly_in_children() {
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(+[] {});
}

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
  static const int once = pthread_atfork(nullptr, nullptr, die_quietly_in_children);
  static_cast<void>(once);
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
