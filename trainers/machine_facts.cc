#include <H5public.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "core/cpu/libraries.h"
#include "core/cpu/measure.h"
#include "trainers/machine.h"

namespace mica::trainers {
namespace {

// The text after "name :" in the first such line of a file, or `otherwise`.
std::string field_of(const char* path, const std::string& name, const std::string& otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    const size_t colon = line.find(':');
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    if (colon != std::string::npos && begin != std::string::npos) return line.substr(begin);
  }
  return otherwise;
}

double memory_bytes() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, patch = 0;
  H5get_libversion(&major, &minor, &patch);
  return fmt::format("{}.{}.{}", major, minor, patch);
}

// What is installed, without touching a device: this build computes on the CPU.
std::string gpu_text() {
  const char* const kDriver = "/proc/driver/nvidia/version";
  if (!std::filesystem::exists(kDriver)) return "none (no NVIDIA driver)";
  return "driver: " + field_of(kDriver, "NVRM version", "of unknown version") +
         " (this build computes on the CPU alone)";
}

}  // namespace

nlohmann::ordered_json machine_facts() {
  nlohmann::ordered_json json;
  json["mica"] = MICA_VERSION;
  json["cpu"] = field_of("/proc/cpuinfo", "model name", "unknown");
  json["isa"] = simd_target();
  json["cores"] = std::thread::hardware_concurrency();
  json["memory_gib"] = memory_bytes() / (1 << 30);
  for (const auto& [name, text] : kernel_libraries()) json[name] = text;
  json["HDF5"] = hdf5_version();
  json["GPU"] = gpu_text();
  return json;
}

}  // namespace mica::trainers
