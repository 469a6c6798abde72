#include "core/eval/lost.h"

#include "core/graph/node.h"

namespace mica {
namespace {

class Lost final : public OpWith<Lost> {
 public:
  static constexpr std::string_view kName = "lost";
  NO_FIELDS(Lost)
  std::string_view refusal() const override {
    return "[eval] a failed evaluation has written over this array";
  }
  Specs infer(std::span<const Spec>) const override { return {}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {}; }
  Arrays vmap(const Arrays&, const Mapped&) const override { return {}; }
};

}  // namespace

void give_up_dying_leaves(const std::vector<char>& dies, const std::vector<Array>& leaves) {
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!dies[i]) continue;
    Node* node = leaves[i].node();
    node->values.clear();
    node->op = std::make_shared<const Lost>();
    node->stream = &default_stream();
  }
}

}  // namespace mica
