// Parts of complex numbers, which lie side by side in memory.
#include <cmath>

#include "core/cpu/install.h"
#include "core/ops/complex.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

constexpr int64_t kGrain = 16384;

// Calls visit(TypeTag<T>) with the type of the parts.
template <class Visit>
void dispatch_part(Dtype complex, Visit&& visit) {
  if (complex == complex128) return visit(TypeTag<double>());
  visit(TypeTag<float>());
}

void run_to_complex(const ToComplex&, Inputs in, Outputs out) {
  dispatch_part(out[0].dtype, [&]<class T>(TypeTag<T>) {
    const T* re = in[0].as<T>();
    const T* im = in[1].as<T>();
    T* both = out[0].as<T>();
    parallel_for(out[0].size(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        both[2 * i] = re[i];
        both[2 * i + 1] = im[i];
      }
    });
  });
}

void run_part(const ComplexPart& op, Inputs in, Outputs out) {
  dispatch_part(in[0].dtype, [&]<class T>(TypeTag<T>) {
    const T* from = in[0].as<T>() + (op.imaginary ? 1 : 0);
    T* to = out[0].as<T>();
    parallel_for(out[0].size(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = from[2 * i];
    });
  });
}

void run_magnitude(const Magnitude&, Inputs in, Outputs out) {
  dispatch_part(in[0].dtype, [&]<class T>(TypeTag<T>) {
    const T* from = in[0].as<T>();
    T* to = out[0].as<T>();
    parallel_for(out[0].size(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = std::hypot(from[2 * i], from[2 * i + 1]);
    });
  });
}

}  // namespace

void install_complex(KernelTable& table) {
  table.add<ToComplex>(run_to_complex, InputLayout::kContiguous);
  table.add<ComplexPart>(run_part, InputLayout::kContiguous);
  table.add<Magnitude>(run_magnitude, InputLayout::kContiguous);
}

}  // namespace mica
