// What conv_lanes_cpu.cc finds for the machine's SIMD target.
#pragma once

#include <vector>

#include "core/ops/conv_kernels.h"

namespace mica {

struct ConvLanes {
  struct Row {
    int64_t outputs;  // channels at once
    void (*run)(const ConvGeometry& geometry, const float* x, const float* weight, int64_t row,
                int64_t outputs, float* y);
  };
  struct Sums {
    int64_t taps;     // width of the kernel
    int64_t outputs;  // channels at once
    void (*run)(const ConvGeometry& geometry, const float* x, const float* dy, int64_t outputs,
                float* dweight);
  };
  int64_t count = 0;  // images side by side; 0 where the method does not pay
  void (*pack)(const float* const from[], int64_t count, float* to) = nullptr;
  void (*unpack)(const float* from, int64_t count, int64_t images, float* const to[]) = nullptr;
  std::vector<Row> rows;  // in increasing order of outputs
  std::vector<Sums> sums;
};

}  // namespace mica
