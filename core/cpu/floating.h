// Kernels for float and double that serve float16 and bfloat16 too, by computing in float32.
//
//   run_floating(in, out[0], [&](auto x, auto* y) { exp_all(x[0], y, in[0].size()); });
#pragma once

#include <algorithm>
#include <array>
#include <type_traits>

#include "core/graph/kernels.h"
#include "core/ops/elementwise_kernels.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {

/// Element by element, by way of float, on the calling thread.
template <class From, class To>
void convert_part_by_float(const From* from, int64_t count, To* to) {
  if (const ElementwiseKernel vectors = half_cast_kernel(dtype_of<From>, dtype_of<To>)) {
    return vectors(from, nullptr, to, static_cast<size_t>(count));
  }
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<To>(static_cast<float>(from[i]));
}

/// The same in parallel.
template <class From, class To>
void convert_by_float(const From* from, int64_t count, To* to) {
  parallel_for(count, 32768, [&](int64_t begin, int64_t end) {
    convert_part_by_float(from + begin, end - begin, to + begin);
  });
}

/// Calls run(std::array<const T*, 2> inputs, T* output), T being float or double. REQUIRES: one or
/// two contiguous inputs of the output's dtype, which is floating.
template <class Run>
void run_floating(Inputs in, const Operand& out, Run&& run) {
  MICA_ASSERT(in.size() <= 2);
  dispatch(out.dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
      std::array<const T*, 2> inputs = {};
      for (size_t i = 0; i < in.size(); ++i) inputs[i] = in[i].as<const T>();
      run(inputs, out.as<T>());
    } else if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
      std::array<Buffer, 2> memory;
      std::array<const float*, 2> inputs = {};
      for (size_t i = 0; i < in.size(); ++i) {
        memory[i] = Buffer::allocate(static_cast<size_t>(in[i].size()) * sizeof(float));
        float* wide = reinterpret_cast<float*>(memory[i].data());
        convert_by_float(in[i].as<const T>(), in[i].size(), wide);
        inputs[i] = wide;
      }
      const Buffer result = Buffer::allocate(static_cast<size_t>(out.size()) * sizeof(float));
      run(inputs, reinterpret_cast<float*>(result.data()));
      convert_by_float(reinterpret_cast<const float*>(result.data()), out.size(), out.as<T>());
    } else {
      MICA_ASSERT(!"only floating types reach this kernel");
    }
  });
}

}  // namespace mica
