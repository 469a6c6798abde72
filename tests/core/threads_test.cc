// TBB's threads are the only ones.
#include <gtest/gtest.h>
#include <oneapi/tbb/info.h>

#include <filesystem>

#include "core/eval/eval.h"
#include "core/ops/conv.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

int64_t threads_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

TEST(ThreadsTest, LibrariesStartNone) {
  const Array a = random::normal({700, 600}, random::key(1));
  const Array images = random::normal({64, 16, 16, 8}, random::key(2));
  const Array kernels = random::normal({24, 3, 3, 8}, random::key(3));
  const Array strided = conv2d(images, kernels, {.stride = {2, 2}});
  eval(sum(matmul(a, matmul(random::normal({600, 700}, random::key(4)), a))), strided,
       conv2d(images, kernels), sum(astype(a, float64)),
       matmul(astype(transpose(a), float64), astype(a, float64)));
  EXPECT_LE(threads_of_process(), tbb::info::default_concurrency());
}

}  // namespace
}  // namespace mica
