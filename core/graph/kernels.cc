#include "core/graph/kernels.h"

namespace mica {

const Kernel& KernelTable::find(const Op& op) const {
  const auto found = kernels_.find(std::type_index(typeid(op)));
  if (!op.refusal().empty()) fail("{}", op.refusal());
  if (found == kernels_.end()) fail(ErrorKind::kRuntime, "no cpu kernel for {}", op.name());
  return found->second;
}

}  // namespace mica
