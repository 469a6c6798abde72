#include "core/graph/op.h"

#include <algorithm>
#include <atomic>

#include "core/graph/node.h"

namespace mica {

namespace {

std::atomic<DepthHandler> depth_handler = nullptr;

void limit_depth(Node* node) {
  const DepthHandler handler = depth_handler.load(std::memory_order_relaxed);
  if (handler != nullptr && !TracingScope::is_active()) handler(Array(node, 0));
}

Node* make_node(std::shared_ptr<const Op> op, Arrays inputs) {
  SmallVector<Spec, 3> specs;
  bool tracer = false;
  int32_t depth = 0;
  for (const Array& input : inputs) {
    if (!input.defined()) fail("[{}] input {} is an empty array", op->name(), specs.size());
    specs.push_back(input.node()->specs[input.index()]);
    tracer = tracer || input.node()->tracer;
    if (!input.node()->is_evaluated()) depth = std::max(depth, input.node()->depth + 1);
  }
  auto node = std::make_unique<Node>();
  node->specs = op->infer(specs);
  node->op = std::move(op);
  node->inputs = std::move(inputs);
  node->tracer = tracer;
  node->depth = depth;
  node->stream = &current_stream();
  return node.release();
}

}  // namespace

Arrays apply_all(std::shared_ptr<const Op> op, Arrays inputs) {
  Node* node = make_node(std::move(op), std::move(inputs));
  Arrays outputs;
  for (uint32_t i = 0; i < node->specs.size(); ++i) outputs.push_back(Array(node, i));
  if (node->depth >= kMostDepth) limit_depth(node);
  return outputs;
}

Array apply(std::shared_ptr<const Op> op, Arrays inputs) {
  Array output(make_node(std::move(op), std::move(inputs)), 0);
  if (output.node()->depth >= kMostDepth) limit_depth(output.node());
  return output;
}

void set_depth_handler(DepthHandler handler) { depth_handler = handler; }

}  // namespace mica
