// compile: a function traced once for each form of its arguments and replayed from then on.
//
//   auto step = compile([](const Arrays& a) { return Arrays{a[0] - 0.01f * a[1]}; });
//   w = step(std::move(w), g)[0];                // runs at once; w's memory is used again
//
//   // Captured state: read and replaced by every call.
//   auto train = compile([&](const Arrays& batch) { return Arrays{update(model, batch)}; },
//                        {.state = [&] { return model.arrays(); }});
//
// The function is called with stand-ins for its arguments and must be graph code: it may not read
// their values, and whatever else it uses (other arrays, C++ numbers, keys, time) is taken over as
// it was in the first call. Pass what changes as an argument: numbers become float32 or int32
// scalars. Other shapes, dtypes or strides of the arguments are traced anew. Results are evaluated
// when the call returns. Arrays that only the call holds (moved into it, or state) may be written
// over. Within a derivative (TracingScope), the function is called as it is.
// A compiled function is for one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/transform/grad.h"

namespace mica {

struct CompileOptions {
  /// The arrays that the function reads and assigns besides its arguments. Asked for before every
  /// call; their number and order must stay.
  std::function<std::vector<Array*>()> state;
};

class CompiledFunction {
 public:
  Arrays operator()(Arrays arguments) const;
  template <class... More>
  Arrays operator()(Array first, More... more) const {
    Arrays arguments;
    arguments.push_back(std::move(first));
    (arguments.push_back(Array(std::move(more))), ...);
    return (*this)(std::move(arguments));
  }

  class State;
  explicit CompiledFunction(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

/// The first call throws Error when the function reads the value of an argument.
CompiledFunction compile(ArraysFunction f, CompileOptions options = {});

}  // namespace mica
