// Helpers of the tests that touch files.
//
//   TemporaryFolder folder;                      // removed with everything in it
//   write_file(folder / "a.csv", "x,y\n1,2\n");
//   expect_error(ErrorKind::kData, {"a.csv", "no such"}, [&] { read(folder / "a.csv"); });
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace mica {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "mica-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// Names in the folder, to show that nothing was left behind.
  std::vector<std::string> list() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

 private:
  std::string path_;
};

/// A file under tests/fixtures.
inline std::string fixture(const std::string& name) {
  return std::string(MICA_FIXTURES) + "/" + name;
}

/// Expects run() to throw an Error of this kind whose text holds all the pieces.
template <class Run>
void expect_error(ErrorKind kind, const std::vector<std::string>& pieces, const Run& run) {
  try {
    run();
    ADD_FAILURE() << "no error was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    for (const std::string& piece : pieces) {
      EXPECT_NE(std::string(error.what()).find(piece), std::string::npos)
          << "\"" << piece << "\" is not in \"" << error.what() << "\"";
    }
  }
}

}  // namespace mica
