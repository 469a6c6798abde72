// scan: a loop over time as one op, as jax.lax.scan.
//
//   // A recurrent layer over x (time, batch, in), from state h (batch, width).
//   auto [last, states] = scan(
//       [&](const Array& h, const Array& x) {
//         const Array next = tanh(matmul(h, w) + matmul(x, u));
//         return std::pair(next, next);       // the next state, and what is kept of this step
//       },
//       h, x);                                // last (batch, width), states (time, batch, width)
//
// The body is called once, with stand-ins for a step's arrays; its graph is planned once and run
// for every step, so that a long loop costs no more graph than a short one. What else the body
// uses (w and u above) is taken over as it is, tracers included: gradients by it flow. Random
// numbers drawn without a key would be the same in every step: pass keys along x.
//
// Gradients of any order, jvp and vmap are loops again. A derivative needs the states of all steps,
// so within one (TracingScope) the loop keeps them; a body wrapped in `checkpoint` keeps its states
// and computes the rest again.
#pragma once

#include <functional>
#include <utility>

#include "core/graph/array.h"

namespace mica {

struct LoopOptions {
  int64_t length = -1;   // number of steps where there are no xs to count them by
  bool reverse = false;  // from the last step to the first; results keep their places
};

/// (carry, x of this step) to (next carry, outputs of this step).
using LoopBody = std::function<std::pair<Arrays, Arrays>(const Arrays& carry, const Arrays& x)>;

/// The carry behind the last step, and the outputs of all steps stacked in front. Each of xs has
/// the steps as its first axis. Throws Error where lengths differ, where the body changes a
/// carry's shape or dtype, and where it reads a value.
std::pair<Arrays, Arrays> scan(const LoopBody& body, const Arrays& init, const Arrays& xs,
                               const LoopOptions& options = {});

/// The same for one array each.
using UnaryLoopBody = std::function<std::pair<Array, Array>(const Array& carry, const Array& x)>;
std::pair<Array, Array> scan(const UnaryLoopBody& body, const Array& init, const Array& xs,
                             const LoopOptions& options = {});

}  // namespace mica
