// Node: what Array handles point to. For the layers that walk graphs; users never see it.
//
//   for (const Array& input : node->inputs) visit(input.node());
//
// A node is a leaf (values, no op), pending (op, no values) or evaluated. An evaluated node drops
// its op and inputs, unless a derivative is being traced through it. Nodes are released without
// recursion, so that chains of any length may be dropped.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "core/graph/op.h"
#include "core/runtime/buffer.h"
#include "core/runtime/stream.h"

namespace mica {

/// The bytes of one output.
struct Value {
  Buffer buffer;              // empty for literals, which live in the node
  std::byte* data = nullptr;  // the first element
  Strides strides;            // in elements
};

class Node {
 public:
  std::atomic<int32_t> references{0};
  int32_t depth = 0;    // pending nodes on the longest way to a leaf, when it was built
  bool weak = false;    // a C++ number without a type of its own
  bool tracer = false;  // depends on an argument of a function under differentiation
  std::shared_ptr<const Op> op;
  Arrays inputs;
  Specs specs;
  SmallVector<Value, 1> values;  // one for each output once evaluated, else empty
  EventPtr pending;              // set while a stream still computes the values
  Stream* stream = nullptr;      // that computes a pending node

  // Values of up to 16 bytes stay here. A weak scalar also keeps what it was made from.
  static constexpr size_t kLiteralBytes = 16;
  alignas(16) std::byte literal[kLiteralBytes];
  double weak_value = 0;

  bool is_evaluated() const { return !values.empty(); }
  /// Drops op and inputs of an evaluated node.
  void detach();

  // Nodes come and go in every step, so that their memory is kept at hand.
  static void* operator new(size_t bytes);
  static void operator delete(void* memory) noexcept;
};

/// Called with every new node that has kMostDepth pending nodes below it and is built outside of
/// derivatives, to evaluate it: a total that a loop adds to and never reads would otherwise keep
/// everything it was computed from. Set by core/eval; null does nothing.
constexpr int32_t kMostDepth = 4096;
using DepthHandler = void (*)(const Array& deep);
void set_depth_handler(DepthHandler handler);

/// A leaf around existing bytes.
Array make_leaf(const Spec& spec, Value value);

/// While one exists on a thread, evaluated nodes that depend on tracers stay differentiable.
class TracingScope {
 public:
  TracingScope();
  ~TracingScope();
  TracingScope(const TracingScope&) = delete;
  TracingScope& operator=(const TracingScope&) = delete;
  static bool is_active();
};

}  // namespace mica
