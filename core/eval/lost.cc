#include "core/eval/lost.h"

#include "core/graph/node.h"

namespace mica {
namespace {

// Has no kernel, so that evaluating it says what happened.
class Lost final : public OpWith<Lost> {
 public:
  static constexpr std::string_view kName = "an array that a failed evaluation has overwritten";
  NO_FIELDS(Lost)
  Specs infer(std::span<const Spec>) const override { return {}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {}; }
};

}  // namespace

void give_up_dying_leaves(const std::vector<char>& dies, const std::vector<Array>& leaves) {
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!dies[i]) continue;
    Node* node = leaves[i].node();
    node->values.clear();
    node->op = std::make_shared<const Lost>();
  }
}

}  // namespace mica
