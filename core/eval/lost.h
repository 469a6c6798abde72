// What is left when an evaluation fails after results were written over arrays given up to it.
//
//   give_up_dying_leaves(graph.leaf_dies, run.leaves);   // whoever asks for them gets an error
#pragma once

#include <vector>

#include "core/graph/array.h"

namespace mica {

/// Takes the values of the leaves whose entry in `dies` is set.
void give_up_dying_leaves(const std::vector<char>& dies, const std::vector<Array>& leaves);

}  // namespace mica
