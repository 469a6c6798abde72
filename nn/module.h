// Module: a layer or a whole network; its parameters, state and children are listed by FIELDS.
//
//   class Mlp : public nn::ModuleWith<Mlp> {
//    public:
//     nn::Linear fc1{784, 256}, fc2{256, 10};
//     FIELDS(Mlp, fc1, fc2)
//     Array forward(const Array& x) override { return fc2(relu(fc1(x))); }
//   };
//
//   Mlp model;
//   auto step = nn::value_and_grad(model, [&](const Array& x, const Array& y) {
//     return nn::cross_entropy(model(x), y);
//   });
//   auto [loss, gradients] = step(images, labels);     // gradients["fc1.weight"], ...
//   std::cout << model.to_string();
//
// A field that is an Array is a parameter (skipped while it is not defined()), a Buffer is state
// that is saved but not trained, a Module or vector of shared_ptr<Module> is a child, and numbers
// and FIELDS structs are settings that are printed. Names are dotted paths: "fc1.weight".
//
// Modules are values: a copy has its own parameters, except that children held by shared_ptr are
// shared. A module is used by one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/fields.h"
#include "core/graph/array.h"

namespace mica::nn {

/// State that is saved with a module but not trained, such as BatchNorm's running statistics.
struct Buffer {
  Array value;
  Buffer() = default;
  Buffer(Array initial) : value(std::move(initial)) {}
};

class Module;
using ModulePointer = std::shared_ptr<Module>;
using NamedArrays = std::map<std::string, Array>;
using NamedPointers = std::vector<std::pair<std::string, Array*>>;

/// One entry of a module's FIELDS: a parameter, a buffer, a child, or a setting's printer.
struct Member {
  std::string name;
  std::variant<Array*, Buffer*, Module*, std::function<std::string()>> value;
};

class Module {
 public:
  virtual ~Module() = default;

  virtual Array forward(const Array& x) = 0;
  Array operator()(const Array& x) { return forward(x); }

  /// The shape of forward's result for an input of this shape, first axis the batch, without
  /// running anything. Throws Error naming the got and the wanted shape where they do not fit.
  /// By default the graph of forward is built in eval mode over float32 input and dropped.
  virtual Shape output_shape(const Shape& input) const;
  /// Floating-point operations of one forward: 2 for each multiply-add of linear and convolution
  /// layers, 1 for each output element of the others. By default 0.
  virtual double flops(const Shape& input) const;
  virtual std::string_view type_name() const = 0;
  /// The FIELDS as a list. Called whenever the tree is walked, so pointers never outlive a walk.
  virtual std::vector<Member> members() = 0;

  /// Every parameter, frozen or not, in FIELDS order.
  NamedPointers named_parameters();
  /// The parameters that value_and_grad differentiates.
  NamedPointers named_trainable_parameters();
  NamedPointers named_buffers();
  /// Number of elements of all parameters.
  int64_t parameter_count() const;

  /// Training or evaluation mode, for this module and all below it.
  void train(bool training = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  /// Excludes the parameters whose dotted name matches the glob ("0.*", "*.bias") from training.
  /// Throws when no parameter matches. Returns how many matched.
  int freeze(const std::string& pattern = "*") { return set_frozen(pattern, true); }
  int unfreeze(const std::string& pattern = "*") { return set_frozen(pattern, false); }

  /// Parameters and buffers by name.
  NamedArrays state() const;
  /// Throws, leaving the module as it was, for missing or unknown names and other shapes. Values
  /// are converted to the dtype they replace.
  void load_state(const NamedArrays& state);
  /// Writes state() as the datasets /model/<name> of an HDF5 file, in one step.
  void save(const std::string& path) const;
  /// The inverse of save; reads the weights out of a checkpoint of `mica train` as well. Errors
  /// name the file.
  void load(const std::string& path);

  /// The tree with settings and parameter counts, a line for each module.
  std::string to_string() const;

 protected:
  Module() = default;
  Module(const Module&) = default;
  Module(Module&&) = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) = default;

 private:
  struct Parameter;
  int set_frozen(const std::string& pattern, bool frozen);
  // Listing members gives pointers through which callers may write; const callers do not.
  std::vector<Member> const_members() const { return const_cast<Module*>(this)->members(); }
  void collect(const std::string& prefix, std::vector<Parameter>& parameters,
               NamedPointers& buffers);
  void print(std::string& out, const std::string& name, int depth) const;

  bool training_ = true;
  std::set<std::string> frozen_;  // names of own parameters
};

namespace detail {

template <class T>
void add_member(std::vector<Member>& members, std::string name, T& field) {
  if constexpr (std::is_same_v<T, Array> || std::is_same_v<T, Buffer>) {
    members.push_back({std::move(name), &field});
  } else if constexpr (std::is_base_of_v<Module, T>) {
    members.push_back({std::move(name), static_cast<Module*>(&field)});
  } else if constexpr (requires { static_cast<Module*>(field.get()); }) {
    if (field) members.push_back({std::move(name), static_cast<Module*>(field.get())});
  } else if constexpr (
      requires { static_cast<Module*>(field.front().get()); } ||
      requires { static_cast<Module*>(&field.front()); }) {
    for (size_t i = 0; i < field.size(); ++i) {
      add_member(members, fmt::format("{}.{}", name, i), field[i]);
    }
  } else if constexpr (HasFields<T>) {
    for_each_field(field, [&](std::string_view inner, const auto& value) {
      members.push_back({std::string(inner), [&value] { return fmt::format("{}", value); }});
    });
  } else {
    members.push_back({std::move(name), [&field] { return fmt::format("{}", field); }});
  }
}

}  // namespace detail

/// Fills type_name and members in from FIELDS.
template <class Self, class Base = Module>
class ModuleWith : public Base {
 public:
  std::string_view type_name() const override { return Self::kTypeName; }
  std::vector<Member> members() override {
    std::vector<Member> members;
    for_each_field(static_cast<Self&>(*this), [&](std::string_view name, auto& field) {
      detail::add_member(members, std::string(name), field);
    });
    return members;
  }
};

/// Runs `f` with the trainable parameters of `module` as the variables, and differentiates its
/// first result, a scalar, by them. Buffers that `f` updates keep their new values; parameters are
/// put back, also when `f` throws. Gradients are named as the parameters are.
std::pair<Arrays, NamedArrays> value_and_grad_of(Module& module, const std::function<Arrays()>& f);

/// A function of f's arguments that returns f's value and the gradients by name. `f` returns the
/// loss, or Arrays of which the first is the loss. `module` must outlive the result.
template <class F>
auto value_and_grad(Module& module, F f) {
  return [&module, f = std::move(f)]<class... Args>(const Args&... args) {
    using Result = std::invoke_result_t<const F&, const Args&...>;
    auto [values, gradients] = value_and_grad_of(module, [&] { return Arrays{f(args...)}; });
    if constexpr (std::is_same_v<Result, Arrays>) {
      return std::pair<Arrays, NamedArrays>(std::move(values), std::move(gradients));
    } else {
      return std::pair<Array, NamedArrays>(values[0], std::move(gradients));
    }
  };
}

}  // namespace mica::nn
