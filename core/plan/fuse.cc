// Which pointwise nodes become one Fused node:
//
// Every node has a stage. Along an edge between two pointwise nodes of the same shape the stage may
// stay as it is; along any other edge it grows by one. Nodes of one stage that such edges connect
// form a group. A path that leaves a group never comes back to it, because the stage has grown by
// then, so that groups never wait for each other in a circle.
//
// A reduction of a group's value ends such a path: it joins the group, over whose shape all its
// reductions go along the same axes, and what reads it comes a stage later.
#include <algorithm>
#include <limits>
#include <map>
#include <queue>

#include "core/ops/fused.h"
#include "core/plan/passes.h"

namespace mica {
namespace {

// Long chains are cut, so that a program's inputs and temporaries stay in the L1 cache.
constexpr size_t kMostNodesInGroup = 48;

class Fuser {
 public:
  Fuser(FlatGraph& graph, bool chains) : graph_(graph), chains_(chains) {}

  void run() {
    find_producers();
    assign_groups();
    cut_long_groups();
    emit_in_order();
  }

 private:
  size_t count() const { return graph_.nodes.size(); }
  bool is_pointwise(size_t node) const { return pointwise_[node]; }
  const Shape& shape_of(size_t node) const {
    return graph_.specs[static_cast<size_t>(graph_.nodes[node].first_output)].shape;
  }

  void find_producers() {
    producer_ = producers_of(graph_);
    pointwise_.resize(count());
    reduction_.resize(count());
    for (size_t i = 0; i < count(); ++i) {
      const FlatNode& node = graph_.nodes[i];
      pointwise_[i] = dynamic_cast<const PointwiseOp*>(node.op.get()) != nullptr;
      if (const auto* reduce = dynamic_cast<const Reduce*>(node.op.get())) {
        const Spec& spec = graph_.specs[static_cast<size_t>(node.inputs[0])];
        if (Fused::can_reduce(spec, *reduce)) reduction_[i] = reduce;
      }
    }
  }

  size_t find_group(size_t node) {
    while (group_[node] != node) node = group_[node] = group_[group_[node]];
    return node;
  }

  bool may_fuse(size_t from, size_t to) const {
    if (!chains_ || !is_pointwise(from)) return false;
    if (graph_.nodes[to].is_recomputed && !graph_.nodes[from].is_recomputed) return false;
    if (reduction_[to] != nullptr) return true;
    return is_pointwise(to) && shape_of(from) == shape_of(to);
  }

  void assign_groups() {
    std::vector<int> stage(count(), 0);
    group_.resize(count());
    for (size_t i = 0; i < count(); ++i) {
      for (int input : graph_.nodes[i].inputs) {
        const int from = producer_[static_cast<size_t>(input)];
        if (from < 0) continue;
        const auto f = static_cast<size_t>(from);
        stage[i] = std::max(stage[i], stage[f] + (may_fuse(f, i) ? 0 : 1));
      }
    }
    sink(stage);
    for (size_t i = 0; i < count(); ++i) group_[i] = i;
    for (size_t i = 0; i < count(); ++i) {
      for (int input : graph_.nodes[i].inputs) {
        const int from = producer_[static_cast<size_t>(input)];
        if (from < 0) continue;
        const auto f = static_cast<size_t>(from);
        if (may_fuse(f, i) && stage[f] == stage[i]) group_[find_group(i)] = find_group(f);
      }
    }
  }

  // A node that no earlier node of its stage computes for moves to the first stage that reads it:
  // one pass less over its result. With more than one input of its size it stays, or several
  // arrays would wait in memory in the place of one.
  void sink(std::vector<int>& stage) const {
    constexpr int kNone = std::numeric_limits<int>::max();
    std::vector<int> first_reader(count(), kNone);  // its stage; 0 where no reader can take it
    for (size_t i = count(); i-- > 0;) {
      if (first_reader[i] != kNone && may_sink(i, stage)) {
        stage[i] = std::max(stage[i], first_reader[i]);
      }
      for (int input : graph_.nodes[i].inputs) {
        const int from = producer_[static_cast<size_t>(input)];
        if (from < 0) continue;
        const auto f = static_cast<size_t>(from);
        first_reader[f] = std::min(first_reader[f], may_fuse(f, i) ? stage[i] : 0);
      }
    }
  }

  bool may_sink(size_t node, const std::vector<int>& stage) const {
    if (!chains_ || !is_pointwise(node)) return false;
    if (graph_.nodes[node].is_recomputed) return true;
    int large = 0;
    for (int input : graph_.nodes[node].inputs) {
      const int from = producer_[static_cast<size_t>(input)];
      if (from < 0) continue;
      const auto f = static_cast<size_t>(from);
      if (may_fuse(f, node) && stage[f] == stage[node]) return false;
      large += graph_.specs[static_cast<size_t>(input)].shape == shape_of(node) ? 1 : 0;
    }
    return large <= 1;
  }

  // Pieces follow the order of the nodes, in which a piece needs earlier pieces only.
  void cut_long_groups() {
    std::map<size_t, size_t> piece_of_group;  // to the current piece
    piece_.resize(count());
    for (size_t i = 0; i < count(); ++i) {
      if (reduction_[i] != nullptr) {
        add_reduction(i);
        continue;
      }
      const size_t group = find_group(i);
      auto [at, fresh] = piece_of_group.try_emplace(group, pieces_.size());
      if (fresh) {
        pieces_.emplace_back();
      } else if (pieces_[at->second].size() >= kMostNodesInGroup) {
        at->second = pieces_.size();
        pieces_.emplace_back();
      }
      pieces_[at->second].push_back(i);
      piece_[i] = at->second;
    }
  }

  // A reduction goes where its input is computed, or else is a piece of its own.
  void add_reduction(size_t node) {
    const int from = producer_[static_cast<size_t>(graph_.nodes[node].inputs[0])];
    if (from >= 0 && may_fuse(static_cast<size_t>(from), node)) {
      const size_t piece = piece_[static_cast<size_t>(from)];
      const Axes& axes = reduced_.try_emplace(piece, reduction_[node]->axes).first->second;
      if (axes == reduction_[node]->axes) {
        pieces_[piece].push_back(node);
        piece_[node] = piece;
        return;
      }
    }
    piece_[node] = pieces_.size();
    pieces_.push_back({node});
  }

  // Kahn's algorithm; among pieces that are ready, the one that ends first in the old order.
  void emit_in_order() {
    std::vector<int> waiting(pieces_.size(), 0);
    std::vector<std::vector<size_t>> users(pieces_.size());
    for (size_t p = 0; p < pieces_.size(); ++p) {
      std::vector<size_t> needed;
      for (size_t node : pieces_[p]) {
        for (int input : graph_.nodes[node].inputs) {
          const int from = producer_[static_cast<size_t>(input)];
          if (from >= 0 && piece_[static_cast<size_t>(from)] != p) {
            needed.push_back(piece_[static_cast<size_t>(from)]);
          }
        }
      }
      std::sort(needed.begin(), needed.end());
      needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
      waiting[p] = static_cast<int>(needed.size());
      for (size_t n : needed) users[n].push_back(p);
    }
    mark_wanted();
    using Entry = std::pair<size_t, size_t>;  // last node, piece
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    for (size_t p = 0; p < pieces_.size(); ++p) {
      if (waiting[p] == 0) ready.push({pieces_[p].back(), p});
    }
    std::vector<FlatNode> emitted;
    while (!ready.empty()) {
      const size_t p = ready.top().second;
      ready.pop();
      emitted.push_back(emit(p));
      for (size_t user : users[p]) {
        if (--waiting[user] == 0) ready.push({pieces_[user].back(), user});
      }
    }
    MICA_ASSERT(emitted.size() == pieces_.size());
    graph_.nodes = std::move(emitted);
    for (int& output : graph_.outputs) output = renamed(output);
  }

  // Values that other pieces or the caller read.
  void mark_wanted() {
    wanted_ = wanted_of(graph_);
    renamed_.assign(graph_.specs.size(), -1);
    for (size_t i = 0; i < count(); ++i) {
      for (int input : graph_.nodes[i].inputs) {
        const int from = producer_[static_cast<size_t>(input)];
        if (from >= 0 && piece_[static_cast<size_t>(from)] != piece_[i]) {
          wanted_[static_cast<size_t>(input)] = true;
        }
      }
    }
  }

  int renamed(int value) const {
    const int other = renamed_[static_cast<size_t>(value)];
    return other >= 0 ? other : value;
  }

  FlatNode emit(size_t piece) {
    const auto& members = pieces_[piece];
    if (!is_pointwise(members[0])) {
      FlatNode node = graph_.nodes[members[0]];
      for (int& input : node.inputs) input = renamed(input);
      return node;
    }
    return Program(*this, piece).node();
  }

  // Writes one piece as a Fused op.
  class Program {
   public:
    Program(Fuser& fuser, size_t piece) : fuser_(fuser), piece_(piece) {
      const auto& members = fuser.pieces_[piece];
      for (size_t member : members) {
        for (int input : fuser.graph_.nodes[member].inputs) add_input(input);
      }
      for (size_t member : members) {
        if (fuser.reduction_[member] == nullptr) add_code(member);
      }
    }

    FlatNode node() {
      FlatNode out;
      FlatGraph& graph = fuser_.graph_;
      std::vector<int> results;
      out.first_output = static_cast<int>(graph.specs.size());
      std::vector<FusedReduction> reductions;
      Axes reduced;
      for (size_t member : fuser_.pieces_[piece_]) {
        const int value = graph.nodes[member].first_output;
        if (fuser_.reduction_[member] != nullptr) continue;
        if (!fuser_.wanted_[static_cast<size_t>(value)]) continue;
        add_result(value);
        results.push_back(number_.at(value));
      }
      for (size_t member : fuser_.pieces_[piece_]) {
        const Reduce* reduce = fuser_.reduction_[member];
        if (reduce == nullptr) continue;
        add_result(graph.nodes[member].first_output);
        reductions.push_back({reduce->reduction, number_.at(graph.nodes[member].inputs[0])});
        reduced = reduce->axes;
      }
      out.output_count = static_cast<int>(results.size() + reductions.size());
      std::vector<Spec> specs;
      for (int input : inputs_) {
        out.inputs.push_back(fuser_.renamed(input));
        specs.push_back(graph.specs[static_cast<size_t>(input)]);
      }
      out.op = std::make_shared<const Fused>(std::move(specs), std::move(code_), std::move(results),
                                             fuser_.shape_of(fuser_.pieces_[piece_][0]),
                                             std::move(reductions), std::move(reduced));
      return out;
    }

   private:
    void add_result(int value) {
      FlatGraph& graph = fuser_.graph_;
      fuser_.renamed_[static_cast<size_t>(value)] = static_cast<int>(graph.specs.size());
      graph.specs.push_back(Spec(graph.specs[static_cast<size_t>(value)]));
    }

    void add_input(int value) {
      const int from = fuser_.producer_[static_cast<size_t>(value)];
      if (from >= 0 && fuser_.piece_[static_cast<size_t>(from)] == piece_) return;
      if (number_.try_emplace(value, static_cast<int>(inputs_.size())).second) {
        inputs_.push_back(value);
      }
    }

    Dtype dtype_of_value(int value) const {
      return fuser_.graph_.specs[static_cast<size_t>(value)].dtype;
    }

    int push(FusedInstruction instruction) {
      code_.push_back(std::move(instruction));
      return static_cast<int>(inputs_.size() + code_.size()) - 1;
    }

    int cast(int argument, Dtype from, Dtype to) {
      return push({FusedInstruction::Kind::kCast, Function(), from, to, {argument}});
    }

    void add_code(size_t member) {
      const FlatNode& node = fuser_.graph_.nodes[member];
      SmallVector<int, 3> arguments;
      for (int input : node.inputs) arguments.push_back(number_.at(input));
      const Dtype to = dtype_of_value(node.first_output);
      number_[node.first_output] = add_instruction(node, arguments, to);
    }

    int add_instruction(const FlatNode& node, SmallVector<int, 3>& arguments, Dtype to) {
      if (dynamic_cast<const Where*>(node.op.get())) {
        return push({FusedInstruction::Kind::kWhere, Function(), to, to, arguments});
      }
      const Dtype from = dtype_of_value(node.inputs[0]);
      if (dynamic_cast<const Cast*>(node.op.get())) return cast(arguments[0], from, to);
      const auto& row = dynamic_cast<const Elementwise&>(*node.op);
      if (!is_half(from)) {
        return push({FusedInstruction::Kind::kRow, row.function, from, to, arguments});
      }
      // Halves compute in float32 and are rounded after every op, fused or not.
      for (int& argument : arguments) argument = cast(argument, from, float32);
      const Dtype computed = is_half(to) ? float32 : to;
      const int result =
          push({FusedInstruction::Kind::kRow, row.function, float32, computed, arguments});
      return is_half(to) ? cast(result, float32, to) : result;
    }

    Fuser& fuser_;
    size_t piece_;
    std::vector<int> inputs_;    // values
    std::map<int, int> number_;  // from values to the program's numbering
    std::vector<FusedInstruction> code_;
  };

  FlatGraph& graph_;
  bool chains_;
  std::vector<int> producer_;  // node of a value, -1 for leaves
  std::vector<char> pointwise_;
  std::vector<const Reduce*> reduction_;  // by node: one that a program can do, or null
  std::map<size_t, Axes> reduced_;        // by piece: along which its reductions go
  std::vector<size_t> group_;             // union-find
  std::vector<size_t> piece_;             // of a node
  std::vector<std::vector<size_t>> pieces_;
  std::vector<char> wanted_;  // values
  std::vector<int> renamed_;  // values of old nodes to values of Fused nodes
};

}  // namespace

void fuse_pointwise(FlatGraph& graph, bool chains) { Fuser(graph, chains).run(); }

}  // namespace mica
