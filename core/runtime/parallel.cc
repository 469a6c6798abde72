#include "core/runtime/parallel.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>

#include <memory>
#include <mutex>

namespace mica {
namespace {

std::mutex mutex;
std::unique_ptr<tbb::global_control> bound;

}  // namespace

void set_threads(int count) {
  const size_t wanted = count > 0 ? static_cast<size_t>(count)
                                  : static_cast<size_t>(tbb::info::default_concurrency());
  std::lock_guard lock(mutex);
  bound.reset();
  bound =
      std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism, wanted);
}

int threads() {
  return static_cast<int>(
      tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
}

}  // namespace mica
