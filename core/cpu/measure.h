// What the machine can do, measured: the floor under every kernel's time.
//
//   double flops = measure_peak_flops(3e8);          // float32, with threads() threads
//   double bytes = measure_bandwidth({.reads = 2, .writes = 1, .bytes = 16 << 20});
//   std::string isa = simd_target();                 // "AVX3_ZEN4"
//
// Both are the best of several short runs of about `seconds` in all, so they name what was reached,
// not an average; other work on the machine lowers them. One measurement at a time.
#pragma once

#include <cstddef>
#include <string>

namespace mica {

/// The instruction set that kernels run with on this machine, as Highway names it.
std::string simd_target();

/// float32 operations a second where threads() threads multiply and add in registers, and nothing
/// else (a multiply-add counts as two).
double measure_peak_flops(double seconds = 0.2);

/// Arrays that are walked through once, side by side: `reads` are summed element by element and
/// the sum stored in `writes`.
struct MemoryTraffic {
  int reads = 2;     // up to 4, and one at the least where nothing is written
  int writes = 1;    // up to 3
  size_t bytes = 0;  // of each array
};
/// Bytes a second with threads() threads, the better of ordinary and of streaming stores.
double measure_bandwidth(const MemoryTraffic& traffic, double seconds = 0.1);

}  // namespace mica
