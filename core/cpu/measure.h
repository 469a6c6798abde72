// What the machine can do, measured: the floor under every kernel's time.
//
//   double flops = measure_peak_flops();
//   double bytes = measure_bandwidth({.reads = 2, .writes = 1, .bytes = 16 << 20});
//
// All work with threads() threads and give the best of several short runs of about `seconds` in
// all: what was reached, not an average; other work on the machine lowers it. One at a time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mica {

/// float32 operations a second where all that is done is multiply and add in registers (a
/// multiply-add counts as two). "The peak" wherever a share of it is named.
double measure_peak_flops(double seconds = 0.2);

/// float32 operations a second of a product of two matrices of `size` squared.
double measure_matmul_flops(int64_t size, double seconds = 0.3);

/// Arrays that are walked through once, side by side: `reads` are summed element by element and
/// the sum stored in `writes`.
struct MemoryTraffic {
  int reads = 2;     // up to 4, and one at the least where nothing is written
  int writes = 1;    // up to 3
  size_t bytes = 0;  // of each array
};
/// Bytes a second, the better of ordinary and of streaming stores. Arrays that fit into the caches
/// are walked through again and again, each thread keeping to its part.
double measure_bandwidth(const MemoryTraffic& traffic, double seconds = 0.1);

}  // namespace mica
