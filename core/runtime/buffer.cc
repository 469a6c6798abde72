#include "core/runtime/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/runtime/machine_memory.h"

namespace mica {
namespace {

constexpr size_t kAlignment = 64;

// Four classes per power of two: at most a quarter of a block is wasted, and blocks of nearly the
// same size serve each other.
size_t size_class(size_t bytes) {
  bytes = std::max(bytes, kAlignment);
  const size_t step = std::max(kAlignment, std::bit_floor(bytes) / 4);
  return (bytes + step - 1) / step * step;
}

// Large blocks ask for huge pages: fewer faults on first use and fewer misses of the address cache
// on every later one. Nothing is lost where the system has none to give.
constexpr size_t kHugePage = size_t{2} << 20;

std::byte* allocate_from_system(size_t bytes) {
  const bool large = bytes >= 2 * kHugePage;
  void* block = nullptr;
  if (posix_memalign(&block, large ? kHugePage : kAlignment, bytes) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  if (large) madvise(block, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<std::byte*>(block);
}

class Pool {
 public:
  std::byte* take(size_t bytes) {
    {
      std::lock_guard lock(mutex_);
      if (limit_ != 0 && use_.active + bytes > limit_) {
        fail(ErrorKind::kRuntime, "[memory] {} bytes asked for with {} in use exceed the limit {}",
             bytes, use_.active, limit_);
      }
      count(bytes);
      if (limit_ != 0 && use_.active + use_.cached > limit_) drop_cached();
      const auto found = free_.find(bytes);
      if (found != free_.end() && !found->second.empty()) {
        std::byte* block = found->second.back();
        found->second.pop_back();
        use_.cached -= bytes;
        return block;
      }
    }
    std::byte* block = allocate_from_system(bytes);
    if (block == nullptr) {
      clear();
      block = allocate_from_system(bytes);
    }
    if (block != nullptr) return block;
    std::lock_guard lock(mutex_);
    use_.active -= bytes;
    fail(ErrorKind::kRuntime, "[memory] the system has no {} bytes left ({} in use)", bytes,
         use_.active);
  }

  void give(std::byte* block, size_t bytes) {
    {
      std::lock_guard lock(mutex_);
      use_.active -= bytes;
      if (use_.cached + bytes <= most_cached_) {
        free_[bytes].push_back(block);
        use_.cached += bytes;
        return;
      }
    }
    std::free(block);
  }

  void clear() {
    std::lock_guard lock(mutex_);
    drop_cached();
  }

  MemoryUse use() {
    std::lock_guard lock(mutex_);
    return use_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    use_.peak = use_.active;
  }
  size_t set_limit(size_t bytes) {
    std::lock_guard lock(mutex_);
    return std::exchange(limit_, bytes);
  }

 private:
  // REQUIRES: mutex_ is held.
  void count(size_t bytes) {
    use_.active += bytes;
    use_.peak = std::max(use_.peak, use_.active);
  }

  // REQUIRES: mutex_ is held.
  void drop_cached() {
    for (auto& [bytes, blocks] : free_) {
      for (std::byte* block : blocks) std::free(block);
    }
    free_.clear();
    use_.cached = 0;
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<std::byte*>> free_;
  MemoryUse use_;
  // Linux hands out memory that it does not have and kills whoever touches it; hence a limit of our
  // own, which throws.
  size_t limit_ = usable_memory() / 20 * 19;
  const size_t most_cached_ = usable_memory() / 4;
};

// Never destroyed: arrays in static storage may outlive everything else.
Pool& pool() {
  static Pool* const instance = std::make_unique<Pool>().release();
  return *instance;
}

}  // namespace

Buffer::Block::~Block() {
  if (release) {
    release();
  } else if (data != nullptr) {
    pool().give(data, bytes);
  }
}

Buffer Buffer::allocate(size_t bytes) {
  Buffer buffer;
  buffer.block_ = std::make_shared<Block>();
  const size_t rounded = size_class(bytes);
  buffer.block_->data = pool().take(rounded);
  buffer.block_->bytes = rounded;
  return buffer;
}

Buffer Buffer::wrap(std::byte* data, size_t bytes, std::function<void()> release) {
  Buffer buffer;
  buffer.block_ = std::make_shared<Block>();
  buffer.block_->data = data;
  buffer.block_->bytes = bytes;
  buffer.block_->release = std::move(release);
  return buffer;
}

MemoryUse memory_use() { return pool().use(); }
void reset_peak_memory() { pool().reset_peak(); }
void clear_memory_cache() { pool().clear(); }
size_t set_memory_limit(size_t bytes) { return pool().set_limit(bytes); }

}  // namespace mica
