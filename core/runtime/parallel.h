// Parallel loops on TBB, the only thread pool of the library.
//
//   parallel_for(rows, grain, [&](int64_t begin, int64_t end) { ... });
//
// Chunk borders are multiples of `grain` and nothing else, so what a chunk computes never depends
// on the number of threads. Choose the grain from shapes only.
#pragma once

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cstdint>

namespace mica {

/// Upper bound on the threads that work at once; 0 means all of the machine's cores.
void set_threads(int count);
int threads();

template <class Body>
void parallel_for(int64_t count, int64_t grain, Body&& body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t chunks = (count + grain - 1) / grain;
  if (chunks == 1) {
    body(int64_t{0}, count);
    return;
  }
  tbb::parallel_for(
      tbb::blocked_range<int64_t>(0, chunks, 1),
      [&](const tbb::blocked_range<int64_t>& range) {
        for (int64_t chunk = range.begin(); chunk < range.end(); ++chunk) {
          body(chunk * grain, std::min(count, (chunk + 1) * grain));
        }
      },
      tbb::simple_partitioner());
}

}  // namespace mica
