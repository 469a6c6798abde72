#include "trainers/machine.h"

#include <unistd.h>

#include <algorithm>

#include "core/cpu/measure.h"
#include "core/runtime/parallel.h"

namespace mica::trainers {
namespace {

// What the C library knows of a cache, or a size that is common.
double cache_bytes(int name, double otherwise) {
  const long bytes = sysconf(name);
  return bytes > 0 ? static_cast<double>(bytes) : otherwise;
}

}  // namespace

double MachineRates::bandwidth_for(double bytes) const {
  const double own[] = {cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
                        cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1 << 20)};
  if (bytes <= own[0] * threads) return bandwidth[0];
  if (bytes <= own[1] * threads) return bandwidth[1];
  return bytes <= cache_bytes(_SC_LEVEL3_CACHE_SIZE, 16 << 20) ? bandwidth[2] : bandwidth[3];
}

double MachineRates::floor_seconds(double flops, double bytes) const {
  return std::max(flops / peak_flops, bytes / bandwidth_for(bytes));
}

MachineRates measure_machine() {
  MachineRates rates;
  rates.threads = mica::threads();
  rates.peak_flops = measure_peak_flops();
  for (size_t i = 0; i < kMemoryLevels.size(); ++i) {
    const MemoryLevel& level = kMemoryLevels[i];
    const size_t bytes = level.bytes * (level.shared ? 1 : static_cast<size_t>(rates.threads));
    rates.bandwidth[i] = measure_bandwidth({2, 1, bytes});
  }
  return rates;
}

}  // namespace mica::trainers
