// The nodes behind a node, each after what it reads.
//
//   walk_inputs_first(root, [&](Node* node) { return is_new(node); },
//                     [&](Node* node) { order.push_back(node); });
//
// Without recursion, so that chains of any length may be walked.
#pragma once

#include <cstddef>
#include <vector>

#include "core/graph/node.h"

namespace mica {

/// Calls leave(node) for every node that enter(node) is true for, when all its inputs have been
/// left or not entered. A node is entered by each of its readers for which enter says so.
template <class Enter, class Leave>
void walk_inputs_first(Node* root, const Enter& enter, const Leave& leave) {
  struct Frame {
    Node* node;
    size_t next_input;
  };
  std::vector<Frame> stack;
  if (enter(root)) stack.push_back({root, 0});
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.next_input < frame.node->inputs.size()) {
      Node* input = frame.node->inputs[frame.next_input++].node();
      if (enter(input)) stack.push_back({input, 0});
      continue;
    }
    Node* node = frame.node;
    stack.pop_back();
    leave(node);
  }
}

}  // namespace mica
