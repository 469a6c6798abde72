// Shared, reference-counted memory from a caching pool.
//
//   Buffer b = Buffer::allocate(1024);
//   float* p = reinterpret_cast<float*>(b.data());
//
// Blocks are 64-byte aligned and return to the pool when the last handle goes. Handles may be
// copied and dropped on any thread; the bytes themselves are not guarded.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace mica {

class Buffer {
 public:
  Buffer() = default;
  /// At least `bytes` bytes, not initialised. Throws Error naming the size if memory is short.
  static Buffer allocate(size_t bytes);
  /// Memory owned by somebody else; `release` runs when the last handle goes.
  static Buffer wrap(std::byte* data, size_t bytes, std::function<void()> release);

  std::byte* data() const { return block_ ? block_->data : nullptr; }
  size_t bytes() const { return block_ ? block_->bytes : 0; }
  explicit operator bool() const { return block_ != nullptr; }
  /// True when this is the only handle to bytes of the pool: nobody would notice them change.
  bool may_overwrite() const { return block_.use_count() == 1 && !block_->release; }
  friend bool operator==(const Buffer&, const Buffer&) = default;

 private:
  struct Block {
    std::byte* data = nullptr;
    size_t bytes = 0;
    std::function<void()> release;
    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block();
  };
  std::shared_ptr<Block> block_;
};

/// What the pool holds, in bytes.
struct MemoryUse {
  size_t active = 0;  // handed out
  size_t peak = 0;    // most ever handed out since the last reset
  size_t cached = 0;  // kept for reuse
};
MemoryUse memory_use();
void reset_peak_memory();
/// Gives all cached blocks back to the system.
void clear_memory_cache();
/// The pool throws rather than have more than this handed out; 0 means no limit. At the start it is
/// 95% of the machine's memory, or of the container's. Returns the limit before.
size_t set_memory_limit(size_t bytes);

}  // namespace mica
