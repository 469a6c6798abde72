// A sum of elementwise products that repeats its operands is a matrix product written out:
//
//   sum(x * w, 1), x of (n, k), w of (k)                   matmul(x, w)
//   sum(x[:, None, :] * w, 2), x of (n, k), w of (m, k)    matmul(x, transpose(w))
//
// which computes in registers what a program multiplies, repeats and sums tile by tile. Losses of
// one example come out of vmap like this, and so do their gradients.
#include <algorithm>

#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce_op.h"
#include "core/ops/view_op.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

// What an axis of the elementwise product is to the matrix product.
enum class Role : uint8_t { kNone, kBatch, kLeft, kRight, kInner };

// An operand as it was before it was broadcast, with the rank of the product.
struct Factor {
  int value;
  Shape shape;
  bool carries(size_t axis) const { return shape[axis] != 1; }
};

class Finder {
 public:
  explicit Finder(FlatGraph& graph) : graph_(graph) {}

  void run() {
    producer_ = producers_of(graph_);
    uses_ = uses_of(graph_);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) look_at(i);
    if (replaced_.empty()) return;
    replace_nodes(graph_, replaced_);
    drop_unread(graph_);  // or their reads would keep other passes away
  }

 private:
  using Roles = SmallVector<Role, 8>;

  const Shape& shape_of(int value) const { return graph_.specs[static_cast<size_t>(value)].shape; }

  template <class T>
  const T* op_of(int value) const {
    const int node = producer_[static_cast<size_t>(value)];
    if (node < 0) return nullptr;
    return dynamic_cast<const T*>(graph_.nodes[static_cast<size_t>(node)].op.get());
  }

  int input_of(int value, size_t k) const {
    return graph_.nodes[static_cast<size_t>(producer_[static_cast<size_t>(value)])].inputs[k];
  }

  void look_at(size_t i) {
    const FlatNode& node = graph_.nodes[i];
    const auto* reduce = dynamic_cast<const Reduce*>(node.op.get());
    if (reduce == nullptr || reduce->reduction != Reduction::k_sum) return;
    const int product = node.inputs[0];
    const auto* row = op_of<Elementwise>(product);
    if (row == nullptr || row->function != Function::k_multiply) return;
    if (uses_[static_cast<size_t>(product)] != 1) return;
    const Spec& spec = graph_.specs[static_cast<size_t>(product)];
    if (spec.dtype != float32 && spec.dtype != float64) return;
    if (size_of(spec.shape) == 0) return;
    const size_t rank = spec.shape.size();
    Factor a = factor(input_of(product, 0), rank);
    Factor b = factor(input_of(product, 1), rank);
    // The left one brings the first axis of the result that is not both's.
    for (size_t axis = 0; axis < rank; ++axis) {
      if (a.carries(axis) == b.carries(axis)) continue;
      if (b.carries(axis)) std::swap(a, b);
      break;
    }
    const Roles roles = roles_of(a, b, spec.shape, reduce->axes);
    if (!roles.empty() && pays(a, b, roles)) replace(i, a, b, roles);
  }

  Factor factor(int value, size_t rank) const {
    while (op_of<BroadcastTo>(value)) value = input_of(value, 0);
    const Shape& shape = shape_of(value);
    Shape padded(rank - shape.size(), 1);
    for (const int64_t length : shape) padded.push_back(length);
    return {value, std::move(padded)};
  }

  // Empty where the sum is no matrix product of the operands as they lie in memory: batch axes come
  // first, the others of each operand and of the result in at most two runs.
  static Roles roles_of(const Factor& a, const Factor& b, const Shape& shape, const Axes& reduced) {
    Roles roles;
    bool is_batch = true;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const bool left = a.carries(axis), right = b.carries(axis);
      if (!left && !right && shape[axis] != 1) return {};  // the result repeats itself
      const bool summed = std::ranges::count(reduced, static_cast<int>(axis)) > 0;
      if (summed && left != right) return {};
      const Role role = !left && !right ? Role::kNone
                        : summed        ? Role::kInner
                        : left && right ? Role::kBatch
                        : left          ? Role::kLeft
                                        : Role::kRight;
      if (role == Role::kBatch && !is_batch) return {};
      is_batch = is_batch && (role == Role::kBatch || role == Role::kNone);
      roles.push_back(role);
    }
    const bool is_product = std::ranges::count(roles, Role::kLeft) > 0 &&
                            std::ranges::count(roles, Role::kInner) > 0 &&
                            are_two_runs(roles, Role::kLeft, Role::kInner) &&
                            are_two_runs(roles, Role::kInner, Role::kRight) &&
                            are_two_runs(roles, Role::kLeft, Role::kRight);
    return is_product ? roles : Roles();
  }

  static bool are_two_runs(const Roles& roles, Role a, Role b) {
    int runs = 0;
    Role last = Role::kNone;
    for (const Role role : roles) {
      if (role != a && role != b) continue;
      runs += role != last;
      last = role;
    }
    return runs <= 2;
  }

  static int64_t length(const Factor& factor, const Roles& roles, Role role) {
    int64_t length = 1;
    for (size_t axis = 0; axis < roles.size(); ++axis) {
      if (roles[axis] == role) length *= factor.shape[axis];
    }
    return length;
  }

  bool pays(const Factor& a, const Factor& b, const Roles& roles) const {
    // What a program computes and reduces on the way would have to be written and read again, which
    // takes as long and takes memory. Smaller operands were broadcast, and so written, before.
    if (length(b, roles, Role::kRight) == 1 && op_of<PointwiseOp>(a.value)) return false;
    // A product of a batch costs a call, for which a program multiplies and adds about that much.
    constexpr int64_t kFewestInBatch = 128;
    return length(a, roles, Role::kBatch) == 1 || length(a, roles, Role::kLeft) *
                                                          length(a, roles, Role::kInner) *
                                                          length(b, roles, Role::kRight) >=
                                                      kFewestInBatch;
  }

  // (batch, first run, second run), transposed where `last` is not the second run.
  int matrix(const Factor& factor, const Roles& roles, Role first, Role last,
             std::vector<FlatNode>& nodes) {
    const auto position = [&](Role role) { return std::ranges::find(roles, role); };
    const bool is_swapped = position(last) < position(first);
    Shape shape;
    Axes swapped = {1, 0};
    if (const int64_t batch = length(factor, roles, Role::kBatch); batch > 1) {
      shape.push_back(batch);
      swapped = {0, 2, 1};
    }
    shape.push_back(length(factor, roles, is_swapped ? last : first));
    shape.push_back(length(factor, roles, is_swapped ? first : last));
    const Dtype dtype = graph_.specs[static_cast<size_t>(factor.value)].dtype;
    const int lying =
        add(nodes, std::make_shared<const Reshape>(shape), {factor.value}, {shape, dtype});
    if (!is_swapped) return lying;
    std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
    return add(nodes, std::make_shared<const Transpose>(swapped), {lying}, {shape, dtype});
  }

  int add(std::vector<FlatNode>& nodes, std::shared_ptr<const Op> op, SmallVector<int, 3> inputs,
          Spec spec) {
    const int result = static_cast<int>(graph_.specs.size());
    graph_.specs.push_back(std::move(spec));
    nodes.push_back({std::move(op), std::move(inputs), result, 1});
    return result;
  }

  void replace(size_t i, const Factor& a, const Factor& b, const Roles& roles) {
    std::vector<FlatNode> nodes;
    const int left = matrix(a, roles, Role::kLeft, Role::kInner, nodes);
    const int right = matrix(b, roles, Role::kInner, Role::kRight, nodes);
    const int result = graph_.nodes[i].first_output;
    const auto op = std::make_shared<const MatMul>();
    const Specs specs = op->infer(std::vector<Spec>{graph_.specs[static_cast<size_t>(left)],
                                                    graph_.specs[static_cast<size_t>(right)]});
    const int product = add(nodes, op, {left, right}, specs[0]);
    nodes.push_back({std::make_shared<const Reshape>(shape_of(result)), {product}, result, 1});
    replaced_[i] = std::move(nodes);
  }

  FlatGraph& graph_;
  std::vector<int> producer_;  // node of a value, -1 for leaves
  std::vector<int> uses_;      // of values
  Replacements replaced_;      // nodes in the place of one
};

}  // namespace

void find_products(FlatGraph& graph) { Finder(graph).run(); }

}  // namespace mica
