#include "trainers/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace mica::trainers {
namespace {

// The words between ", " and " -> ".
std::set<std::string> words_of(const std::string& shapes) {
  std::set<std::string> words;
  std::string word;
  for (const char c : shapes + ' ') {
    if (c != ' ' && c != ',') {
      word += c;
      continue;
    }
    if (!word.empty() && word != "->") words.insert(word);
    word.clear();
  }
  return words;
}

bool have_common(const std::set<std::string>& a, const std::set<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&](const std::string& each) { return b.contains(each); });
}

}  // namespace

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const int64_t length : shape) {
    text += fmt::format("{}{}", text.empty() ? "" : "x", length);
  }
  return text.empty() ? "scalar" : text;
}

Attribution::Attribution(const std::vector<BuiltLayer>& layers, const Shape& example,
                         int64_t batch) {
  Shape shape = {batch};
  shape.append(example.begin(), example.end());
  for (const BuiltLayer& built : layers) {
    Layer layer{built.type, {shape_text(shape)}, {}, {}};
    shape = built.output;
    shape[0] = batch;
    layer.output = shape_text(shape);
    layer.activations.insert(layer.output);
    for (const auto& [name, parameter] : built.module->named_parameters()) {
      Shape turned = parameter->shape();
      // A vector's shape says little: a bias is as long as other layers' are.
      if (turned.size() < 2) continue;
      layer.parameters.insert(shape_text(turned));
      std::reverse(turned.begin(), turned.end());
      layer.parameters.insert(shape_text(turned));
    }
    layers_.push_back(std::move(layer));
  }
}

std::string Attribution::find(const std::string& op, const std::string& shapes) const {
  const std::set<std::string> words = words_of(shapes);
  const std::function<bool(const Layer&)> rules[] = {
      [&](const Layer& layer) {
        return have_common(words, layer.parameters) && have_common(words, layer.activations);
      },
      [&](const Layer& layer) { return have_common(words, layer.parameters); },
      [&](const Layer& layer) {
        return op.starts_with(layer.type) && have_common(words, layer.activations);
      },
      [&](const Layer& layer) { return words.contains(layer.output); }};
  for (const auto& fits : rules) {
    std::string numbers, type;
    for (size_t i = 0; i < layers_.size(); ++i) {
      if (!fits(layers_[i])) continue;
      numbers += fmt::format("{}{}", numbers.empty() ? "" : ",", i);
      if (type.find(layers_[i].type) == std::string::npos) {
        type += fmt::format("{}{}", type.empty() ? "" : "/", layers_[i].type);
      }
    }
    if (!numbers.empty()) return fmt::format("{} {}", numbers, type);
  }
  return "";
}

}  // namespace mica::trainers
