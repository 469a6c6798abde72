#include "core/transform/rewrite.h"

#include "core/graph/walk.h"

namespace mica {

void Rewriter::replace(const Array& from, const Array& to) {
  int number = numbers_.find(from.node());
  if (number < 0) number = add(from.node());
  Arrays& images = images_[static_cast<size_t>(number)];
  images.resize(from.node()->specs.size());
  images[from.index()] = to;
}

Array Rewriter::rewritten(const Array& array) {
  walk(array.node());
  return image_of(array);
}

void Rewriter::walk(Node* root) {
  walk_inputs_first(
      root, [&](const Node* node) { return is_new(node); },
      [&](Node* node) {
        if (numbers_.find(node) >= 0) return;
        const int number = add(node);
        images_[static_cast<size_t>(number)] = rewrite(node);
      });
}

bool Rewriter::is_new(const Node* node) const {
  return node->tracer && node->op != nullptr && numbers_.find(node) < 0;
}

int Rewriter::add(Node* node) {
  const int number = static_cast<int>(images_.size());
  numbers_.insert(node, number);
  images_.emplace_back();
  return number;
}

Array Rewriter::image_of(const Array& array) const {
  const int number = numbers_.find(array.node());
  if (number < 0 || images_[static_cast<size_t>(number)].empty()) return Array();
  return images_[static_cast<size_t>(number)][array.index()];
}

Arrays Rewriter::rewrite(Node* node) {
  Arrays in;
  Mapped replaced;
  bool any = false;
  for (const Array& input : node->inputs) {
    const Array image = image_of(input);
    replaced.push_back(image.defined());
    any = any || image.defined();
    in.push_back(image.defined() ? image : input);
  }
  if (!any) return {};
  for (size_t i = 0; i < in.size(); ++i) {
    if (!replaced[i] && in[i].node()->tracer) captured_.push_back(in[i]);
  }
  const StreamScope scope(node->stream != nullptr ? *node->stream : current_stream());
  Arrays out = rule_(*node, in, replaced);
  MICA_ASSERT(out.size() == node->specs.size());
  return out;
}

}  // namespace mica
