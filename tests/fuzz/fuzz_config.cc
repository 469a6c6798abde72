#include "tests/fuzz/fuzz.h"
#include "trainers/config.h"

// "#set key.path=value" at the start of the text are overrides, as --set gives them. What is read
// must be written as a config that reads as the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mica;
  std::string text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> overrides;
  while (text.starts_with("#set ")) {
    const size_t end = std::min(text.find('\n'), text.size());
    overrides.push_back(text.substr(5, end - 5));
    text.erase(0, std::min(end + 1, text.size()));
  }
  const std::string folder = fuzz_folder(), source = "fuzzed.yaml";
  std::string written;
  try {
    written = trainers::parse_config(text, source, folder, overrides).to_yaml();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUsage) broken("not the kind for a config", error.what());
    return 0;
  }
  try {
    const std::string again = trainers::parse_config(written, source, folder).to_yaml();
    if (again != written) broken("reads as another config", written + "\n---\n" + again);
  } catch (const Error& error) {
    broken("written so that it cannot be read", std::string(error.what()) + "\n---\n" + written);
  }
  return 0;
}
