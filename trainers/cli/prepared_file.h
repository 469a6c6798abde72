// The file into which a verb that only looks at data has a raw source prepared, gone with the
// object.
//
//   const PreparedFile prepared;
//   const Setup setup = make_setup(config, prepared.path);
//
// Data sets are read from it as they are needed, so it must outlive them.
#pragma once

#include <unistd.h>

#include <filesystem>

#include "core/base/error.h"

namespace mica::trainers {

struct PreparedFile {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("mica-{}-data.h5", getpid());

  PreparedFile() = default;
  PreparedFile(const PreparedFile&) = delete;
  PreparedFile& operator=(const PreparedFile&) = delete;
  ~PreparedFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

}  // namespace mica::trainers
