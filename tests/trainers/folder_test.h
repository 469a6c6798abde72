// A fixture with a folder of its own for each test, gone after it.
//
//   class WeightsTest : public FolderTest {};
//   TEST_F(WeightsTest, ...) { save(root_ / "w.npz"); EXPECT_EQ(read_file(root_ / "w.npz"), ...); }
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/core/io_testing.h"

namespace mica::trainers {

inline std::string read_file(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// 60 points (a, b), each of the kind "more" or "less" as a > b or not.
inline std::string points_csv() {
  std::string text = "a,b,kind\n";
  for (int i = 0; i < 60; ++i) {
    const int a = i * 37 % 101, b = i * 53 % 97;
    text += std::to_string(a) + "," + std::to_string(b) + (a > b ? ",more\n" : ",less\n");
  }
  return text;
}

/// A config for them, in points.csv.
inline constexpr const char* kPointsYaml =
    "data: {source: csv, path: points.csv, target: kind, split: \"test=0.1,val=0.1\", "
    "batch_size: 16}\n"
    "model: [linear: 16, relu, linear: 2]\n"
    "loss: cross_entropy\n"
    "optimizer: {adam: {lr: 0.02}, schedule: [step: {every: 30}]}\n"
    "train: {epochs: 2}\n";

class FolderTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  /// The path of the file that was written, with the folders on its way.
  std::string write(const std::filesystem::path& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
    return (root_ / name).string();
  }

 private:
  TemporaryFolder folder_;

 protected:
  const std::filesystem::path root_ = folder_.path();
};

}  // namespace mica::trainers
