// What the fuzz targets share. A target gives any bytes to a reader as a file: whatever they are,
// it must return or throw an Error of the kind for damaged data, naming the file.
//
//   extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
//     return mica::read_as_file(data, size, [](const std::string& path) { mica::load(path); });
//   }
//
// Targets with several files or settings take them from the front of the input:
//
//   mica::Input input(data, size);
//   options.header = input.pick({"auto", "yes", "no"});
//   mica::write_input(folder + "/labels", input.bytes(input.number(300)));
#pragma once

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>

#include "core/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace mica {

[[noreturn]] inline void broken(const char* what, const std::string& why) {
  std::fprintf(stderr, "fuzz: %s: %s\n", what, why.c_str());
  std::abort();
}

/// A child that reads an HDF5 file may crash, which is what it is for; libFuzzer must not take its
/// end for that of the target.
inline void let_children_die() {
  static const int once = pthread_atfork(
      nullptr, nullptr, +[] {
        if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(+[] {});
      });
  static_cast<void>(once);
}

/// One folder for the whole process, in memory where there is such a place.
inline const std::string& fuzz_folder() {
  struct Folder {
    Folder() : path(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") {
      path += "/mica-fuzz-" + std::to_string(::getpid());
      std::filesystem::create_directories(path);
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path;
  };
  static const Folder folder;
  return folder.path;
}

inline void write_input(const std::string& path, std::span<const uint8_t> bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() ||
      std::fclose(file) != 0) {
    broken("cannot write", path);
  }
}

/// Takes settings and pieces from the front of an input; zeros and nothing behind its end.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : left_(data, size) {}

  /// 0 ... below - 1, of one byte, or of two where that is not enough.
  size_t number(size_t below) {
    size_t value = byte();
    if (below > 256) value = value << 8 | byte();
    return value % below;
  }
  const char* pick(std::initializer_list<const char*> choices) {
    return choices.begin()[number(choices.size())];
  }
  std::span<const uint8_t> bytes(size_t count) {
    const std::span<const uint8_t> taken = left_.first(std::min(count, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  std::string text(size_t count) {
    const std::span<const uint8_t> taken = bytes(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::span<const uint8_t> rest() { return bytes(left_.size()); }
  bool empty() const { return left_.empty(); }

 private:
  uint8_t byte() {
    const std::span<const uint8_t> one = bytes(1);
    return one.empty() ? 0 : one[0];
  }

  std::span<const uint8_t> left_;
};

/// Calls read(), whose errors must be of this kind (or kUsage, where `usage_too`) and name `path`.
template <class Read>
int expect_errors(ErrorKind kind, const std::string& path, const Read& read,
                  bool usage_too = false) {
  try {
    read();
  } catch (const Error& error) {
    const std::string text = error.what();
    if (error.kind() != kind && !(usage_too && error.kind() == ErrorKind::kUsage)) {
      broken("not the kind for this", text);
    }
    if (text.find(path) == text.npos) broken("does not name the file", text);
  }
  return 0;
}

template <class Read>
int read_as_file(const uint8_t* data, size_t size, const Read& read) {
  const std::string path = fuzz_folder() + "/file";
  write_input(path, {data, size});
  return expect_errors(ErrorKind::kData, path, [&] { read(path); });
}

}  // namespace mica
