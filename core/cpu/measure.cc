#include "core/cpu/measure.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "core/cpu/gemm.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/measure.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#ifndef MICA_CORE_CPU_MEASURE_ONCE
#define MICA_CORE_CPU_MEASURE_ONCE
namespace mica {
namespace {

using Streams = std::array<float*, 7>;  // the arrays read, then those written
using StreamKernel = void (*)(const Streams& streams, int64_t begin, int64_t end);
struct StreamKernels {
  StreamKernel plain;
  StreamKernel streaming;
};
constexpr int kMostReads = 4;
constexpr int kMostWrites = 3;

// Enough independent sums to hide the latency of a multiply-add (4 cycles on 2 units).
constexpr int kSums = 12;

}  // namespace
}  // namespace mica
#endif

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Returns the operations done; the results go to `out`, or the compiler would drop them.
double multiply_add(int64_t rounds, float* out) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.999f), term = hn::Set(d, 0.001f);
  // Different values, or the compiler would see that all sums are the same.
  const auto start = [&](float value) { return hn::Set(d, *out + value); };
  auto s0 = start(0), s1 = start(1), s2 = start(2), s3 = start(3), s4 = start(4), s5 = start(5);
  auto s6 = start(6), s7 = start(7), s8 = start(8), s9 = start(9), s10 = start(10), s11 = start(11);
  for (int64_t i = 0; i < rounds; ++i) {
    s0 = hn::MulAdd(s0, factor, term), s1 = hn::MulAdd(s1, factor, term);
    s2 = hn::MulAdd(s2, factor, term), s3 = hn::MulAdd(s3, factor, term);
    s4 = hn::MulAdd(s4, factor, term), s5 = hn::MulAdd(s5, factor, term);
    s6 = hn::MulAdd(s6, factor, term), s7 = hn::MulAdd(s7, factor, term);
    s8 = hn::MulAdd(s8, factor, term), s9 = hn::MulAdd(s9, factor, term);
    s10 = hn::MulAdd(s10, factor, term), s11 = hn::MulAdd(s11, factor, term);
  }
  s0 = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
  s4 = hn::Add(hn::Add(s4, s5), hn::Add(s6, s7));
  s8 = hn::Add(hn::Add(s8, s9), hn::Add(s10, s11));
  *out = hn::GetLane(hn::Add(hn::Add(s0, s4), s8));
  return 2.0 * kSums * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

template <int reads, int writes, bool streaming>
void walk(const Streams& streams, int64_t begin, int64_t end) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto total = hn::Zero(d), other = hn::Zero(d);
  const auto step = [&](int64_t i, auto& sum) {
    if constexpr (writes > 0) sum = hn::Zero(d);
    for (int r = 0; r < reads; ++r) sum = hn::Add(sum, hn::Load(d, streams[r] + i));
    for (int w = 0; w < writes; ++w) {
      if constexpr (streaming)
        hn::Stream(sum, d, streams[reads + w] + i);
      else
        hn::Store(sum, d, streams[reads + w] + i);
    }
  };
  for (int64_t i = begin; i + 2 * lanes <= end; i += 2 * lanes) {
    step(i, total);
    step(i + lanes, other);
  }
  if constexpr (writes == 0) {
    // Never true, but the compiler does not know and keeps the sums.
    if (hn::GetLane(hn::Add(total, other)) == 1e30f) *streams[0] = 0;
  }
  if constexpr (streaming) hwy::FlushStream();
}

template <int reads, int writes>
constexpr StreamKernels kernels_of() {
  return {walk<reads, writes, false>, walk<reads, writes, true>};
}

StreamKernels stream_kernels(int reads, int writes) {
  static constexpr StreamKernels kTable[kMostReads + 1][kMostWrites + 1] = {
      {kernels_of<0, 0>(), kernels_of<0, 1>(), kernels_of<0, 2>(), kernels_of<0, 3>()},
      {kernels_of<1, 0>(), kernels_of<1, 1>(), kernels_of<1, 2>(), kernels_of<1, 3>()},
      {kernels_of<2, 0>(), kernels_of<2, 1>(), kernels_of<2, 2>(), kernels_of<2, 3>()},
      {kernels_of<3, 0>(), kernels_of<3, 1>(), kernels_of<3, 2>(), kernels_of<3, 3>()},
      {kernels_of<4, 0>(), kernels_of<4, 1>(), kernels_of<4, 2>(), kernels_of<4, 3>()}};
  return kTable[reads][writes];
}

}  // namespace
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(multiply_add);
HWY_EXPORT(stream_kernels);

// The shortest run of `work` in about `seconds`.
double best_seconds(double seconds, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity(), spent = 0;
  work();
  while (spent < seconds) {
    const Clock::time_point begin = Clock::now();
    work();
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::min(best, took);
    spent += std::max(took, 1e-7);
  }
  return best;
}

}  // namespace

double measure_peak_flops(double seconds) {
  // Pieces of some 20 us, so that threads end together.
  constexpr int64_t kRounds = 10'000, kPieces = 64;
  std::vector<double> operations(kPieces);
  std::vector<float> results(kPieces);
  const double best = best_seconds(seconds, [&] {
    parallel_for(kPieces, 1, [&](int64_t begin, int64_t) {
      const auto piece = static_cast<size_t>(begin);
      operations[piece] = HWY_DYNAMIC_DISPATCH(multiply_add)(kRounds, &results[piece]);
    });
  });
  double total = 0;
  for (const double count : operations) total += count;
  return total / best;
}

double measure_matmul_flops(int64_t size, double seconds) {
  const auto bytes = static_cast<size_t>(size * size) * sizeof(float);
  const Buffer a = Buffer::allocate(bytes), b = Buffer::allocate(bytes),
               c = Buffer::allocate(bytes);
  for (const Buffer& operand : {a, b}) {
    std::fill_n(reinterpret_cast<float*>(operand.data()), size * size, 0.5f);
  }
  const auto matrix = [&](const Buffer& buffer) {
    return MatrixView<float>{reinterpret_cast<const float*>(buffer.data()), size};
  };
  const double best = best_seconds(seconds, [&] {
    gemm<float>(size, size, size, matrix(a), matrix(b), reinterpret_cast<float*>(c.data()), size);
  });
  return 2.0 * static_cast<double>(size * size) * static_cast<double>(size) / best;
}

double measure_bandwidth(const MemoryTraffic& traffic, double seconds) {
  const auto [reads, writes, bytes] = traffic;
  if (reads < 0 || reads > kMostReads || writes < 0 || writes > kMostWrites ||
      reads + writes == 0 || bytes < 4096) {
    fail("[measure_bandwidth] {} reads and {} writes of {} bytes", reads, writes, bytes);
  }
  const auto count = static_cast<int64_t>(bytes / sizeof(float));
  std::vector<Buffer> buffers;
  Streams streams{};
  for (int i = 0; i < reads + writes; ++i) {
    buffers.push_back(Buffer::allocate(bytes));
    streams[static_cast<size_t>(i)] = reinterpret_cast<float*>(buffers.back().data());
    std::fill_n(streams[static_cast<size_t>(i)], count, 1.0f);
  }
  const StreamKernels kernels = HWY_DYNAMIC_DISPATCH(stream_kernels)(reads, writes);
  // Large arrays go round in pieces that any thread takes, as in kernels; small ones are passed
  // often enough that starting the threads does not count.
  constexpr int64_t kPiece = 1 << 14, kSmall = 1 << 20;
  const bool small = count <= kSmall;
  const int64_t times = small ? std::max<int64_t>(1, 4 * kSmall / count) : 1;
  // A multiple of a cache line, so that threads do not write to the same one.
  const int64_t share = (count / threads() + 15) / 16 * 16;
  double best = std::numeric_limits<double>::infinity();
  for (const StreamKernel kernel : {kernels.plain, kernels.streaming}) {
    const double took = best_seconds(seconds / 2, [&] {
      parallel_for(count, small ? share : kPiece, [&](int64_t begin, int64_t end) {
        for (int64_t i = 0; i < times; ++i) kernel(streams, begin, end);
      });
    });
    best = std::min(best, took / static_cast<double>(times));
  }
  return static_cast<double>(reads + writes) * static_cast<double>(bytes) / best;
}

}  // namespace mica
#endif
