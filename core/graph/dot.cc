#include "core/graph/dot.h"

#include <cstring>
#include <map>
#include <ostream>
#include <unordered_map>

#include "core/graph/node.h"

namespace mica {
namespace {

/// A scalar kept in the graph itself: worth showing by its value.
bool is_constant(const Node* node) {
  return node->op == nullptr && node->values.size() == 1 && node->values[0].data == node->literal &&
         node->specs[0].shape.empty();
}

std::string constant_text(const Node* node) {
  return dispatch(node->specs[0].dtype, [&]<class T>(TypeTag<T>) -> std::string {
    T value;
    std::memcpy(&value, node->literal, sizeof(T));
    if constexpr (is_complex(dtype_of<T>))
      return fmt::format("{}{:+}j", value.real(), value.imag());
    else if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>)
      return fmt::format("{}", static_cast<float>(value));
    else
      return fmt::format("{}", value);
  });
}

class Graph {
 public:
  Graph(const Arrays& outputs, const GraphNames& names) {
    for (const auto& [name, array] : names) {
      if (array.defined()) names_[{array.node(), array.index()}] = name;
    }
    for (const Array& output : outputs) {
      if (!output.defined()) fail("[to_dot] an empty array has no graph");
      add(output.node());
    }
  }

  /// Every node once, inputs before what uses them.
  const std::vector<const Node*>& nodes() const { return nodes_; }
  size_t number(const Node* node) const { return numbers_.at(node); }

  /// The user's name of an output of a node; empty if there is none.
  std::string given_name(const Node* node, uint32_t index) const {
    const auto found = names_.find({node, index});
    return found == names_.end() ? std::string() : found->second;
  }
  std::string name(const Node* node, uint32_t index) const {
    std::string name = given_name(node, index);
    if (!name.empty()) return name;
    if (is_constant(node)) return constant_text(node);
    name = fmt::format("t{}", number(node));
    return node->specs.size() == 1 ? name : fmt::format("{}.{}", name, index);
  }

 private:
  /// Without recursion, as graphs may be a million nodes deep.
  void add(const Node* root) {
    std::vector<std::pair<const Node*, size_t>> stack = {{root, 0}};
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next == 0 && numbers_.contains(node)) {
        stack.pop_back();
      } else if (node->op != nullptr && next < node->inputs.size()) {
        const Node* input = node->inputs[next++].node();
        if (!numbers_.contains(input)) stack.emplace_back(input, 0);
      } else {
        numbers_.emplace(node, nodes_.size());
        nodes_.push_back(node);
        stack.pop_back();
      }
    }
  }

  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, size_t> numbers_;
  std::map<std::pair<const Node*, uint32_t>, std::string> names_;
};

std::string spec_text(const Spec& spec) {
  return fmt::format("{} {}", spec.dtype, to_string(spec.shape));
}

/// The operation and what distinguishes it: "sum(axes=(0,))", or its name where it has no options.
std::string op_text(const Op& op) {
  std::string text = op.print();
  if (text.ends_with("()")) text.resize(text.size() - 2);
  return text;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else
      result += c;
  }
  return result + '"';
}

std::string node_label(const Graph& graph, const Node* node) {
  std::string label;
  for (uint32_t i = 0; i < node->specs.size(); ++i) {
    const std::string name = graph.given_name(node, i);
    if (!name.empty()) label += name + "\n";
  }
  if (node->op != nullptr) label += op_text(*node->op) + "\n";
  if (is_constant(node)) return label + constant_text(node);
  for (uint32_t i = 0; i < node->specs.size(); ++i) {
    label += fmt::format("{}{}", i == 0 ? "" : "\n", spec_text(node->specs[i]));
  }
  return label;
}

}  // namespace

std::string to_dot(const Arrays& outputs, const GraphNames& names) {
  const Graph graph(outputs, names);
  std::unordered_map<const Node*, bool> is_output;
  for (const Array& output : outputs) is_output[output.node()] = true;
  // The edges into a node come from left to right as its inputs do.
  std::string text = "digraph {\n  ordering=in;\n  node [fontname=\"sans-serif\", fontsize=10];\n";
  for (const Node* node : graph.nodes()) {
    const size_t number = graph.number(node);
    const char* shape = is_constant(node) ? "plaintext" : node->op == nullptr ? "box" : "ellipse";
    text += fmt::format("  n{} [label={}, shape={}{}];\n", number, quoted(node_label(graph, node)),
                        shape, is_output.contains(node) ? ", peripheries=2" : "");
    if (node->op == nullptr) continue;
    for (const Array& input : node->inputs) {
      const bool several = input.node()->specs.size() > 1;
      text += fmt::format("  n{} -> n{}{};\n", graph.number(input.node()), number,
                          several ? fmt::format(" [label=\"{}\"]", input.index()) : "");
    }
  }
  return text + "}\n";
}

void print_graph(std::ostream& out, const Arrays& outputs, const GraphNames& names) {
  const Graph graph(outputs, names);
  for (const Node* node : graph.nodes()) {
    const bool named = !graph.given_name(node, 0).empty();
    if (is_constant(node) && !named) continue;
    std::string left, right, inputs;
    for (uint32_t i = 0; i < node->specs.size(); ++i) {
      left += fmt::format("{}{}", i == 0 ? "" : ", ", graph.name(node, i));
      right += fmt::format("{}{}", i == 0 ? "" : ", ", spec_text(node->specs[i]));
    }
    if (node->op == nullptr) {
      out << fmt::format("{:<16} = {}: {}\n", left,
                         is_constant(node) ? constant_text(node) : "input", right);
      continue;
    }
    for (size_t i = 0; i < node->inputs.size(); ++i) {
      const Array& input = node->inputs[i];
      inputs += fmt::format("{}{}", i == 0 ? "" : ", ", graph.name(input.node(), input.index()));
    }
    out << fmt::format("{:<16} = {}({}): {}\n", left, op_text(*node->op), inputs, right);
  }
}

}  // namespace mica
