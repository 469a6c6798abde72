// Python as an oracle: tests that compare with NumPy and its like where they are installed.
//
//   if (!python_has("numpy")) GTEST_SKIP() << "python3 with numpy is not installed";
//   std::string text = run_python("import numpy as np; print(np.arange(3))");
#pragma once

#include <stdio.h>

#include <cstdlib>
#include <string>

#include "core/io/file.h"
#include "tests/core/io_testing.h"

namespace mica {

/// Whether python3 can import all of them ("numpy, h5py").
inline bool python_has(const std::string& modules) {
  return std::system(("python3 -c 'import " + modules + "' >/dev/null 2>&1").c_str()) == 0;
}

/// Runs a script and returns what it printed, its errors included. A failed script fails the test.
inline std::string run_python(const std::string& script) {
  TemporaryFolder folder;
  write_file(folder / "script.py", script);
  FILE* pipe = ::popen(("python3 " + (folder / "script.py") + " 2>&1").c_str(), "r");
  std::string text;
  char part[4096];
  for (size_t got = 0; (got = ::fread(part, 1, sizeof(part), pipe)) > 0;) text.append(part, got);
  EXPECT_EQ(::pclose(pipe), 0) << text;
  return text;
}

}  // namespace mica
