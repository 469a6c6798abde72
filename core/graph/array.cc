#include "core/graph/array.h"

#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "core/graph/node.h"

namespace mica {
namespace {

// Nodes whose last handle went while another node is being released wait here, so that releasing
// a chain of a million nodes does not recurse a million times. The list is the outermost release's:
// arrays of static storage go after the thread-local objects of their thread.
using Waiting = SmallVector<Node*, 16>;
thread_local Waiting* waiting = nullptr;

void release(Node* node) {
  if (node == nullptr) return;
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (waiting != nullptr) {
    waiting->push_back(node);
    return;
  }
  Waiting nodes = {node};
  waiting = &nodes;
  while (!nodes.empty()) {
    const std::unique_ptr<Node> last(nodes.back());
    nodes.pop_back();
  }
  waiting = nullptr;
}

Array make_literal(const Spec& spec, const void* bytes, size_t count) {
  auto node = std::make_unique<Node>();
  node->specs.push_back(spec);
  if (count > 0) std::memcpy(node->literal, bytes, count);
  node->values.push_back({Buffer(), node->literal, row_major(spec.shape)});
  return Array(node.release(), 0);
}

template <class T>
Array weak_literal(T value, double original) {
  Array scalar = make_literal({{}, dtype_of<T>}, &value, sizeof(T));
  scalar.node()->weak = true;
  scalar.node()->weak_value = original;
  return scalar;
}

}  // namespace

Array::Array(Node* node, uint32_t index) : node_(node), index_(index) {
  if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
}
Array::Array(const Array& other) : Array(other.node_, other.index_) {}
Array& Array::operator=(const Array& other) {
  if (other.node_) other.node_->references.fetch_add(1, std::memory_order_relaxed);
  release(std::exchange(node_, other.node_));
  index_ = other.index_;
  return *this;
}
Array& Array::operator=(Array&& other) noexcept {
  if (this == &other) return *this;
  release(std::exchange(node_, std::exchange(other.node_, nullptr)));
  index_ = other.index_;
  return *this;
}
Array::~Array() { release(node_); }

Array Array::scalar_constant(bool value) { return weak_literal(value, value); }
Array Array::scalar_constant(int64_t value) {
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) {
    return make_literal({{}, int64}, &value, sizeof(value));
  }
  return weak_literal(static_cast<int32_t>(value), static_cast<double>(value));
}
Array Array::scalar_constant(double value) {
  return weak_literal(static_cast<float>(value), value);
}

Array Array::scalar(double value, Dtype dtype) {
  return dispatch(dtype, [&]<class T>(TypeTag<T>) {
    T typed;
    if constexpr (std::is_integral_v<T>)
      typed = static_cast<T>(value);
    else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, complex128_t>)
      typed = value;
    else
      typed = T(static_cast<float>(value));
    return make_literal({{}, dtype}, &typed, sizeof(T));
  });
}

Array Array::from_bytes(const void* data, const Shape& shape, Dtype dtype) {
  const size_t bytes = static_cast<size_t>(size_of(shape)) * size_of(dtype);
  const Spec spec = {shape, dtype};
  if (bytes <= Node::kLiteralBytes) return make_literal(spec, data, bytes);
  Buffer buffer = Buffer::allocate(bytes);
  std::memcpy(buffer.data(), data, bytes);
  std::byte* first = buffer.data();
  return make_leaf(spec, {std::move(buffer), first, row_major(shape)});
}

void Array::check_count(int64_t count, const Shape& shape) {
  if (count == size_of(shape)) return;
  fail("[array] {} values do not fill the shape {}", count, mica::to_string(shape));
}

const Shape& Array::shape() const {
  if (node_ == nullptr) fail("[array] an empty array has no shape");
  return node_->specs[index_].shape;
}
Dtype Array::dtype() const {
  if (node_ == nullptr) fail("[array] an empty array has no dtype");
  return node_->specs[index_].dtype;
}
int64_t Array::dim(int axis) const {
  return shape()[static_cast<size_t>(normalize_axis(axis, shape().size(), "dim"))];
}
bool Array::is_weak() const { return node_ != nullptr && node_->weak; }
bool Array::is_evaluated() const { return node_ != nullptr && node_->is_evaluated(); }

Array make_leaf(const Spec& spec, Value value) {
  auto node = std::make_unique<Node>();
  node->specs.push_back(spec);
  node->values.push_back(std::move(value));
  return Array(node.release(), 0);
}

// A thread keeps the memory of some nodes. Blocks may move from thread to thread on the way.
namespace {

class NodeMemory {
 public:
  ~NodeMemory() {
    for (void* block : free_) ::operator delete(block);
    is_gone = true;
  }
  void* take() {
    if (free_.empty()) return ::operator new(sizeof(Node));
    void* block = free_.back();
    free_.pop_back();
    return block;
  }
  void give(void* block) {
    if (free_.size() == kMostBlocks)
      ::operator delete(block);
    else
      free_.push_back(block);
  }

  // Arrays in static or thread-local storage may outlive this object.
  static thread_local bool is_gone;

 private:
  static constexpr size_t kMostBlocks = 4096;
  std::vector<void*> free_;
};

thread_local bool NodeMemory::is_gone = false;
thread_local NodeMemory node_memory;

}  // namespace

void* Node::operator new(size_t bytes) {
  if (NodeMemory::is_gone) return ::operator new(bytes);
  return node_memory.take();
}

void Node::operator delete(void* memory) noexcept {
  if (NodeMemory::is_gone) return ::operator delete(memory);
  node_memory.give(memory);
}

void Node::detach() {
  op.reset();
  inputs.clear();
  tracer = false;
}

namespace {
thread_local int tracing_depth = 0;
}

TracingScope::TracingScope() { ++tracing_depth; }
TracingScope::~TracingScope() { --tracing_depth; }
bool TracingScope::is_active() { return tracing_depth > 0; }

}  // namespace mica
