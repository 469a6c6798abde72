// Configs with the mistakes that people make, and what is said about each, word for word.
//
// A file of broken/ ends with the overrides to read it with, if any, and with what it must bring:
//
//   # --set seed=-1
//   # expected, exit 2:
//   # 07-name.yaml:3:5: error: ...
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

#include "core/base/error.h"
#include "trainers/setup.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;

struct Broken {
  std::vector<std::string> overrides;
  int code = 0;
  std::string text;
};

Broken read_expected(const fs::path& file) {
  Broken broken;
  std::ifstream stream(file);
  bool found = false;
  for (std::string line; std::getline(stream, line);) {
    if (found) {
      broken.text += line.substr(2) + "\n";
    } else if (line.starts_with("# --set ")) {
      broken.overrides.push_back(line.substr(8));
    } else if (line.starts_with("# expected, exit ")) {
      broken.code = std::stoi(line.substr(17));
      found = true;
    }
  }
  return broken;
}

std::string without(std::string text, const std::string& part) {
  for (size_t at; (at = text.find(part)) != std::string::npos;) text.erase(at, part.size());
  return text;
}

// Reads the config, opens its data and builds its model, as every verb does.
Broken actual(const fs::path& file, std::vector<std::string> overrides) {
  const fs::path cache = fs::path(testing::TempDir()) / fmt::format("mica-{}-broken.h5", getpid());
  Broken broken{std::move(overrides), 0, ""};
  try {
    const RunConfig config = load_config(file.string(), broken.overrides);
    make_setup(config, cache);
  } catch (const Error& error) {
    const std::string folder = file.parent_path().string();
    const std::string near = fs::proximate(folder).string();
    broken.text = without(without(error.what(), folder + "/"), near + "/") + "\n";
    broken.code = static_cast<int>(error.kind());
  }
  fs::remove(cache);
  return broken;
}

std::vector<fs::path> files() {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::directory_iterator(fs::path(MICA_SOURCE) / "tests/trainers/broken")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(BrokenConfigs, SayWhatIsWrongAndWhere) {
  EXPECT_GE(files().size(), 60u);
  const std::regex placed("(\\S+:\\d+:\\d+|--set #\\d+): error: .+|\\d+ errors");
  for (const fs::path& file : files()) {
    SCOPED_TRACE(file.filename());
    const Broken expected = read_expected(file);
    const Broken got = actual(file, expected.overrides);
    EXPECT_EQ(got.text, expected.text);
    EXPECT_EQ(got.code, expected.code);
    std::stringstream text(got.text);
    for (std::string line; std::getline(text, line);) {
      EXPECT_TRUE(std::regex_match(line, placed)) << line;
    }
  }
}

}  // namespace
}  // namespace mica::trainers
