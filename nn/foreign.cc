#include "nn/foreign.h"

#include <map>
#include <numeric>
#include <optional>

#include "core/ops/view.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace mica::nn {
namespace {

enum class Kind { kPlain, kLinear, kConv };

// An array on the way to a ForeignWeight.
struct Draft {
  std::string name, foreign_name;
  Kind kind;
  Shape shape;
  // Height, width and channels where an axis runs over the features of an image.
  Shape row_image = {}, column_image = {};
  bool transposed = false;  // of kConv: (in, height, width, out)
};

std::string join(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

// What Keras calls a layer of this type in file names.
std::string keras_type(const Module& module) {
  static const std::map<std::string_view, std::string> names = {
      {"Linear", "dense"},
      {"Conv2d", "conv2d"},
      {"ConvTranspose2d", "conv2d_transpose"},
      {"BatchNorm", "batch_normalization"},
      {"LayerNorm", "layer_normalization"},
      {"GroupNorm", "group_normalization"},
      {"RmsNorm", "rms_normalization"},
      {"Embedding", "embedding"}};
  const auto found = names.find(module.type_name());
  return found == names.end() ? std::string(module.type_name()) : found->second;
}

// Goes through the layers in their order, knowing what each gets.
class Walk {
 public:
  explicit Walk(Framework framework) : framework_(framework) {}

  // `place` is the module's here, `foreign` there.
  void visit(Module& module, const std::string& place, const std::string& foreign,
             const Shape& input) {
    if (auto* sequential = dynamic_cast<Sequential*>(&module)) {
      visit_sequential(*sequential, place, foreign, input);
      return;
    }
    follow_features(module, input);
    int number = 0;
    const std::string keras = has_arrays(module) ? keras_name(module) : "";
    for (Member& member : module.members()) {
      const std::string name = join(place, member.name);
      const Array* array = nullptr;
      if (Array** parameter = std::get_if<Array*>(&member.value)) array = *parameter;
      if (Buffer** buffer = std::get_if<Buffer*>(&member.value)) array = &(*buffer)->value;
      if (Module** child = std::get_if<Module*>(&member.value)) {
        visit(**child, name, join(foreign, member.name), input);
      } else if (array && array->defined()) {
        const std::string there = framework_ == Framework::kKeras
                                      ? fmt::format("{}/vars/{}", keras, number++)
                                      : join(foreign, member.name);
        add(module, {name, there, Kind::kPlain, array->shape()});
      }
    }
    if (dynamic_cast<Linear*>(&module)) image_ = std::nullopt;
  }

  std::vector<Draft> drafts;

 private:
  void visit_sequential(Sequential& module, const std::string& place, const std::string& foreign,
                        const Shape& input) {
    const std::string inside = framework_ == Framework::kMlx ? join(foreign, "layers") : foreign;
    Shape shape = input;
    for (Member& member : module.members()) {
      Module& layer = *std::get<Module*>(member.value);
      visit(layer, join(place, member.name), join(inside, member.name), shape);
      shape = layer.output_shape(shape);
    }
  }

  // Flattened images keep their order until a linear layer mixes them; the features that a linear
  // layer makes have the order that the image they are made into asks for.
  void follow_features(Module& module, const Shape& input) {
    if (input.size() == 4 && dynamic_cast<Flatten*>(&module)) {
      image_ = Shape(input.begin() + 1, input.end());
      loose_.clear();
    } else if (dynamic_cast<Linear*>(&module)) {
      loose_.clear();
    } else if (dynamic_cast<Reshape*>(&module)) {
      const Shape shape = module.output_shape(input);
      if (input.size() == 2 && shape.size() == 4) {
        for (const size_t i : loose_) drafts[i].row_image = Shape(shape.begin() + 1, shape.end());
      }
      loose_.clear();
      image_ = std::nullopt;
    }
  }

  static bool has_arrays(Module& module) {
    for (const Member& member : module.members()) {
      if (auto* array = std::get_if<Array*>(&member.value); array && (*array)->defined()) {
        return true;
      }
      if (std::holds_alternative<Buffer*>(member.value)) return true;
    }
    return false;
  }

  // "layers/dense", "layers/dense_1", ...
  std::string keras_name(const Module& module) {
    const std::string type = keras_type(module);
    const int number = keras_counts_[type]++;
    return number == 0 ? "layers/" + type : fmt::format("layers/{}_{}", type, number);
  }

  void add(const Module& module, Draft draft) {
    const bool convolution = dynamic_cast<const Conv2d*>(&module) != nullptr ||
                             dynamic_cast<const ConvTranspose2d*>(&module) != nullptr;
    if (convolution) loose_.clear();
    if (convolution && draft.shape.size() == 4) {
      draft.transposed = dynamic_cast<const ConvTranspose2d*>(&module) != nullptr;
      draft.kind = Kind::kConv;
    } else if (dynamic_cast<const Linear*>(&module)) {
      if (draft.shape.size() == 2) {
        draft.kind = Kind::kLinear;
        if (image_) draft.column_image = *image_;
      }
      loose_.push_back(drafts.size());
    } else if (draft.shape.size() == 1 && !convolution) {
      if (image_ && size_of(*image_) == draft.shape[0]) draft.row_image = *image_;
      loose_.push_back(drafts.size());
    }
    drafts.push_back(std::move(draft));
  }

  Framework framework_;
  std::map<std::string, int> keras_counts_;
  std::optional<Shape> image_;  // what the features now are a flattened image of
  std::vector<size_t> loose_;   // drafts whose first axis runs over features made since Linear
};

// Splits an axis of `length` into those of an image, if it is one, and puts its channels first.
void append_axis(ForeignWeight& weight, int64_t length, const Shape& image) {
  const int first = static_cast<int>(weight.split.size());
  if (image.empty()) {
    weight.split.push_back(length);
    weight.axes.push_back(first);
    return;
  }
  weight.split.append(image.begin(), image.end());
  weight.axes.insert(weight.axes.end(), {first + 2, first, first + 1});
}

ForeignWeight finish(const Draft& draft, Framework framework) {
  ForeignWeight weight{draft.name, draft.foreign_name, draft.shape, draft.shape, {}, {}};
  const bool torch = framework == Framework::kTorch, keras = framework == Framework::kKeras;
  if (torch && draft.kind != Kind::kConv) {
    for (size_t i = 0; i < draft.shape.size(); ++i) {
      append_axis(weight, draft.shape[i], i == 0 ? draft.row_image : draft.column_image);
    }
    return weight;
  }
  weight.split = draft.shape;
  weight.axes.resize(draft.shape.size());
  std::iota(weight.axes.begin(), weight.axes.end(), 0);
  if (torch) weight.axes = {0, 3, 1, 2};
  // Keras keeps (height, width, in, out), and (height, width, out, in) of transposed ones.
  if (framework == Framework::kMlx && draft.transposed) weight.axes = {3, 1, 2, 0};
  if (keras && draft.kind == Kind::kConv) weight.axes = {1, 2, 3, 0};
  if (keras && draft.kind == Kind::kLinear) weight.axes = {1, 0};
  for (size_t i = 0; i < weight.axes.size(); ++i) {
    weight.foreign_shape[i] = draft.shape[static_cast<size_t>(weight.axes[i])];
  }
  return weight;
}

}  // namespace

std::string_view name_of(Framework framework) {
  constexpr std::string_view kNames[] = {"mica", "torch", "mlx", "keras"};
  return kNames[static_cast<size_t>(framework)];
}

Array ForeignWeight::to_foreign(const Array& here) const {
  return reshape(transpose(reshape(here, split), Axes(axes.begin(), axes.end())), foreign_shape);
}

Array ForeignWeight::to_mica(const Array& there) const {
  Shape moved;
  Axes back(axes.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    moved.push_back(split[static_cast<size_t>(axes[i])]);
    back[static_cast<size_t>(axes[i])] = static_cast<int>(i);
  }
  return reshape(transpose(reshape(there, moved), back), shape);
}

std::vector<ForeignWeight> foreign_weights(Module& model, const Shape& example,
                                           Framework framework) {
  Shape shape = {1};
  shape.append(example.begin(), example.end());
  Walk walk(framework);
  walk.visit(model, "", "", shape);
  std::vector<ForeignWeight> weights;
  for (const Draft& draft : walk.drafts) weights.push_back(finish(draft, framework));
  return weights;
}

}  // namespace mica::nn
