#include "core/graph/op.h"

#include "core/graph/node.h"

namespace mica {

Arrays apply_all(std::shared_ptr<const Op> op, const Arrays& inputs) {
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
  node->inputs = inputs;
  node->tracer = tracer;
  Node* raw = node.release();
  Arrays outputs;
  for (uint32_t i = 0; i < raw->specs.size(); ++i) outputs.push_back(Array(raw, i));
  return outputs;
}

Array apply(std::shared_ptr<const Op> op, const Arrays& inputs) {
  return apply_all(std::move(op), inputs)[0];
}

}  // namespace mica
