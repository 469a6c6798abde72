// What the fuzz targets share. A target gives any bytes to a reader of core/io as a file: whatever
// they are, it must return arrays or throw Error(kData) naming the file.
//
//   extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
//     return mica::read_as_file(data, size, [](const std::string& path) { mica::load(path); });
//   }
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace mica {

[[noreturn]] inline void broken(const char* what, const std::string& why) {
  std::fprintf(stderr, "fuzz: %s: %s\n", what, why.c_str());
  std::abort();
}

/// One file for the whole process, in memory where there is such a folder.
inline const std::string& fuzz_file() {
  struct File {
    File() : path(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") {
      path += "/mica-fuzz-" + std::to_string(::getpid());
    }
    ~File() { ::unlink(path.c_str()); }
    std::string path;
  };
  static const File file;
  return file.path;
}

template <class Read>
int read_as_file(const uint8_t* data, size_t size, const Read& read) {
  const std::string& path = fuzz_file();
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) {
    broken("cannot write", path);
  }
  try {
    read(path);
  } catch (const Error& error) {
    const std::string text = error.what();
    if (error.kind() != ErrorKind::kData) broken("not the kind for a damaged file", text);
    if (text.find(path) == text.npos) broken("does not name the file", text);
  }
  return 0;
}

}  // namespace mica
