// What the machine reaches with the current number of threads, as `mica doctor` prints it and
// `mica bench` compares with.
//
//   MachineRates rates = measure_machine();
//   double floor = rates.floor_seconds(flops, bytes);
//
// Takes about a second; see core/cpu/measure.h for what is measured. machine_facts() only looks.
#pragma once

#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>

namespace mica::trainers {

/// A level of memory, measured with arrays that fit well into it.
struct MemoryLevel {
  const char* name;
  const char* size;  // that was walked through, for people
  size_t bytes;      // of each of three arrays; for each thread, unless `shared`
  bool shared;
};
inline constexpr std::array<MemoryLevel, 4> kMemoryLevels = {
    {{"L1", "24 KiB a thread", 8 << 10, false},
     {"L2", "384 KiB a thread", 128 << 10, false},
     {"L3", "6 MiB a thread", 2 << 20, false},
     {"DRAM", "384 MiB", 128 << 20, true}}};

struct MachineRates {
  int threads = 0;
  double peak_flops = 0;                                    // a second
  std::array<double, kMemoryLevels.size()> bandwidth = {};  // bytes a second

  /// The bandwidth of the first level that holds so many bytes.
  double bandwidth_for(double bytes) const;
  /// The least time that so much arithmetic and traffic take, side by side.
  double floor_seconds(double flops, double bytes) const;
};
MachineRates measure_machine();

/// The processor, its memory and the libraries: "cpu", "cores", "memory_gib", "OpenBLAS", ...
nlohmann::ordered_json machine_facts();

}  // namespace mica::trainers
