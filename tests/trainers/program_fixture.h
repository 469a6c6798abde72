// A fixture that starts the program in a folder of its own.
//
//   class ConfigTest : public ProgramFixture {};
//   TEST_F(ConfigTest, ...) { EXPECT_EQ(run({"validate", "c.yaml"}).code, 0); }
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/trainers/folder_test.h"

namespace mica::trainers {

struct Result {
  int code = -1;  // 1000 + the signal of one that ended it
  std::string out;
  std::string err;
};

class ProgramFixture : public FolderTest {
 protected:
  // Starts the program in the test's folder; its process id.
  pid_t start(const std::vector<std::string>& arguments) {
    std::vector<char*> argv = {const_cast<char*>(MICA_PROGRAM)};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const std::string out = (root_ / "stdout").string(), err = (root_ / "stderr").string();
    const std::string folder = root_.string();
    const pid_t child = fork();
    if (child != 0) return child;
    if (chdir(folder.c_str()) != 0 || !std::freopen(out.c_str(), "w", stdout) ||
        !std::freopen(err.c_str(), "w", stderr)) {
      _exit(126);
    }
    execv(MICA_PROGRAM, argv.data());
    _exit(127);
  }

  Result finish(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    return {code, read_file(root_ / "stdout"), read_file(root_ / "stderr")};
  }

  Result run(const std::vector<std::string>& arguments) { return finish(start(arguments)); }
};

}  // namespace mica::trainers
