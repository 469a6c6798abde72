// Computing what was built.
//
//   eval(loss, weights);          // returns when both are there
//   async_eval(loss);             // returns at once; the next read waits
//   std::cout << loss;            // evaluates, and prints as NumPy does
//
// Everything runs through a plan (core/plan), found again in a cache when a graph of the same
// structure was evaluated before.
#pragma once

#include <iosfwd>

#include "core/graph/array.h"

namespace mica {

void eval(const Arrays& arrays);
template <class... More>
void eval(const Array& first, const More&... more) {
  eval(Arrays{first, more...});
}
void async_eval(const Arrays& arrays);

/// Array::to_string().
std::ostream& operator<<(std::ostream& out, const Array& array);

}  // namespace mica
