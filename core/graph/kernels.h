// The table from ops to kernels of one device. Graph code never needs it; plans do.
//
//   // cumsum_cpu.cc
//   void run_cumsum(const CumSum& op, Inputs in, Outputs out) { ... }
//   void install_cumsum(KernelTable& table) { table.add<CumSum>(run_cumsum,
//   InputLayout::kContiguous); }
//
// and core/cpu/install.cc calls install_cumsum. Kernels know bytes, shapes and the op's fields,
// not the graph. Outputs come allocated and contiguous in row-major order, and do not overlap
// inputs. A kernel may use parallel_for; it must not depend on the number of threads.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <typeindex>
#include <unordered_map>
#include <vector>

#include "core/graph/op.h"

namespace mica {

/// One array as a kernel sees it.
struct Operand {
  std::byte* data = nullptr;  // the first element
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  Strides strides;  // in elements; 0 where broadcast

  int64_t size() const { return size_of(shape); }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
};
using Inputs = std::span<const Operand>;
using Outputs = std::span<const Operand>;

/// What a kernel accepts as inputs; anything else is copied before it runs.
enum class InputLayout {
  kAny,         // whatever strides there are
  kContiguous,  // row-major without gaps
  kMatrix,      // the last two axes each have stride 1 or a full line's length, one of them 1
};

/// What a kernel works out once for a step of a plan, so that running it again costs little.
/// Shapes, dtypes and strides of the operands are those it was prepared with; only addresses
/// change.
class PreparedKernel {
 public:
  virtual ~PreparedKernel() = default;
  virtual void run(Inputs in, Outputs out) const = 0;
};

struct Kernel {
  void (*run)(void* typed, const Op& op, Inputs in, Outputs out) = nullptr;
  std::unique_ptr<const PreparedKernel> (*prepare)(const Op& op, Inputs in, Outputs out) = nullptr;
  void* typed = nullptr;
  InputLayout layout = InputLayout::kContiguous;
};

class KernelTable {
 public:
  template <class T>
  void add(void (*kernel)(const T&, Inputs, Outputs), InputLayout layout) {
    const auto call = [](void* typed, const Op& op, Inputs in, Outputs out) {
      reinterpret_cast<void (*)(const T&, Inputs, Outputs)>(typed)(static_cast<const T&>(op), in,
                                                                   out);
    };
    kernels_[std::type_index(typeid(T))] = {call, nullptr, reinterpret_cast<void*>(kernel), layout};
  }
  /// For a class P derived from PreparedKernel, made as P(const T& op, Inputs in, Outputs out) with
  /// operands that have no addresses yet. The op lives longer than P.
  template <class T, class P>
  void add_prepared(InputLayout layout) {
    const auto prepare = [](const Op& op, Inputs in, Outputs out) {
      return std::unique_ptr<const PreparedKernel>(
          std::make_unique<const P>(static_cast<const T&>(op), in, out));
    };
    kernels_[std::type_index(typeid(T))] = {nullptr, prepare, nullptr, layout};
  }
  /// Throws "no cpu kernel for sort" when there is none.
  const Kernel& find(const Op& op) const;
  /// The classes of all ops that have a kernel, for tests that none is forgotten.
  std::vector<std::type_index> ops() const {
    std::vector<std::type_index> classes;
    for (const auto& [op, kernel] : kernels_) classes.push_back(op);
    return classes;
  }

 private:
  std::unordered_map<std::type_index, Kernel> kernels_;
};

/// The kernels of the CPU, filled once by core/cpu/install.cc.
KernelTable& cpu_kernels();

}  // namespace mica
