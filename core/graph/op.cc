#include "core/graph/op.h"

#include "core/graph/node.h"

namespace mica {

namespace {

Node* make_node(std::shared_ptr<const Op> op, Arrays inputs) {
  SmallVector<Spec, 3> specs;
  bool tracer = false;
  for (const Array& input : inputs) {
    if (!input.defined()) fail("[{}] input {} is an empty array", op->name(), specs.size());
    specs.push_back(input.node()->specs[input.index()]);
    tracer = tracer || input.node()->tracer;
  }
  auto node = std::make_unique<Node>();
  node->specs = op->infer(specs);
  node->op = std::move(op);
  node->inputs = std::move(inputs);
  node->tracer = tracer;
  return node.release();
}

}  // namespace

Arrays apply_all(std::shared_ptr<const Op> op, Arrays inputs) {
  Node* node = make_node(std::move(op), std::move(inputs));
  Arrays outputs;
  for (uint32_t i = 0; i < node->specs.size(); ++i) outputs.push_back(Array(node, i));
  return outputs;
}

Array apply(std::shared_ptr<const Op> op, Arrays inputs) {
  return Array(make_node(std::move(op), std::move(inputs)), 0);
}

}  // namespace mica
