#include "optim/optimizer.h"

#include <fnmatch.h>

#include <set>

#include "core/base/error.h"

namespace mica::optim {
namespace {

constexpr std::string_view kSteps = "steps";
constexpr std::string_view kStep = "step";

void set_weight_decay(Rule& rule, double weight_decay) {
  for (Setting& setting : rule.settings()) {
    if (setting.name == "weight_decay") *std::get<double*>(setting.value) = weight_decay;
  }
}

int64_t read_count(const std::string& name, const Array& value) {
  if (value.size() != 1) {
    fail("[load_state] '{}' has shape {}, want a scalar", name, to_string(value.shape()));
  }
  return value.item<int64_t>();
}

bool group_matches(const Group& group, const std::string& name) {
  return fnmatch(group.pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

Optimizer::Optimizer(std::unique_ptr<Rule> rule, std::vector<Group> groups)
    : rule_(std::move(rule)), groups_(std::move(groups)) {
  rule_->check();
  for (const Group& group : groups_) {
    group_rules_.push_back(rule_->clone());
    if (group.weight_decay) set_weight_decay(*group_rules_.back(), *group.weight_decay);
    group_rules_.back()->check();
  }
  group_rules_.push_back(rule_->clone());
}

size_t Optimizer::group_of(const std::string& name) const {
  size_t index = 0;
  while (index < groups_.size() && !group_matches(groups_[index], name)) ++index;
  return index;
}

void Optimizer::check(const NamedPointers& parameters, const NamedArrays& gradients) const {
  size_t found = 0;
  for (const auto& [name, parameter] : parameters) {
    const auto gradient = gradients.find(name);
    if (gradient == gradients.end()) continue;
    ++found;
    if (gradient->second.shape() == parameter->shape()) continue;
    fail("[optimizer] gradient of '{}' has shape {}, want {}", name,
         to_string(gradient->second.shape()), to_string(parameter->shape()));
  }
  if (found != gradients.size()) {
    std::set<std::string> names;
    for (const auto& [name, parameter] : parameters) names.insert(name);
    for (const auto& [name, gradient] : gradients) {
      if (!names.contains(name)) fail("[optimizer] no parameter for the gradient of '{}'", name);
    }
  }
}

void Optimizer::check_groups(const NamedPointers& parameters) const {
  if (steps_ > 0) return;
  for (const Group& group : groups_) {
    bool used = false;
    for (const auto& [name, parameter] : parameters) used = used || group_matches(group, name);
    if (!used) fail("[optimizer] group '{}' matches no parameter", group.pattern);
  }
}

void Optimizer::update(const NamedPointers& parameters, const NamedArrays& gradients, double lr) {
  check(parameters, gradients);
  check_groups(parameters);
  NamedPointers updated;
  for (const auto& parameter : parameters) {
    if (gradients.contains(parameter.first)) updated.push_back(parameter);
  }
  finish_update(updated, gradients, advance(updated, lr));
}

Arrays Optimizer::begin_update(const NamedPointers& parameters, double lr) {
  check_groups(parameters);
  return advance(parameters, lr);
}

Arrays Optimizer::advance(const NamedPointers& parameters, double lr) {
  Arrays scalars;
  scalars_of_.clear();
  for (const auto& [name, parameter] : parameters) {
    const size_t group = group_of(name);
    const Rule& rule = *group_rules_[group];
    const auto [slot, is_new] = slots_.try_emplace(name);
    if (is_new) slot->second.state = rule.init(*parameter);
    const int64_t step = ++slot->second.step;
    const auto [range, is_first] = scalars_of_.try_emplace({group, step});
    if (!is_first) continue;
    const double factor = group < groups_.size() ? groups_[group].lr_factor : 1;
    const Arrays values = rule.scalars(lr * factor, step);
    range->second = {scalars.size(), values.size()};
    for (const Array& value : values) scalars.push_back(value);
  }
  ++steps_;
  return scalars;
}

void Optimizer::finish_update(const NamedPointers& parameters, const NamedArrays& gradients,
                              const Arrays& scalars) {
  check(parameters, gradients);
  for (const auto& [name, parameter] : parameters) {
    const size_t group = group_of(name);
    Slot& slot = slots_.at(name);
    const auto [first, count] = scalars_of_.at({group, slot.step});
    const Arrays values(scalars.begin() + first, scalars.begin() + first + count);
    *parameter = group_rules_[group]->update(*parameter, gradients.at(name), slot.state, values);
  }
}

NamedArrays Optimizer::state() const {
  NamedArrays state;
  state[std::string(kSteps)] = Array::from(std::vector<int64_t>{steps_}, {});
  for (const auto& [name, slot] : slots_) {
    state[fmt::format("{}.{}", name, kStep)] = Array::from(std::vector<int64_t>{slot.step}, {});
    for (const auto& [key, value] : slot.state) state[name + "." + key] = value;
  }
  return state;
}

void Optimizer::load_state(const NamedArrays& state) {
  const auto steps = state.find(std::string(kSteps));
  if (steps == state.end()) fail("[load_state] '{}' of the optimizer is missing", kSteps);
  std::map<std::string, Slot> slots;
  for (const auto& [name, value] : state) {
    if (name == kSteps) continue;
    const size_t dot = name.rfind('.');
    if (dot == std::string::npos) fail("[load_state] '{}' is not state of an optimizer", name);
    Slot& slot = slots[name.substr(0, dot)];
    const std::string key = name.substr(dot + 1);
    if (key == kStep)
      slot.step = read_count(name, value);
    else
      slot.state[key] = value;
  }
  const State wanted = rule_->init(Array(0.0f));  // only its names are looked at
  for (const auto& [name, slot] : slots) {
    if (slot.step < 1) fail("[load_state] '{}.{}' is missing", name, kStep);
    for (const auto& [key, value] : wanted) {
      if (!slot.state.contains(key)) fail("[load_state] '{}.{}' is missing", name, key);
    }
    for (const auto& [key, value] : slot.state) {
      if (!wanted.contains(key)) fail("[load_state] '{}.{}' is not of this optimizer", name, key);
    }
  }
  steps_ = read_count(std::string(kSteps), steps->second);
  slots_ = std::move(slots);
}

Arrays Optimizer::state_arrays() const {
  Arrays arrays;
  for (const auto& [name, slot] : slots_) {
    for (const auto& [key, value] : slot.state) arrays.push_back(value);
  }
  return arrays;
}

std::vector<Array*> Optimizer::state_pointers() {
  std::vector<Array*> pointers;
  for (auto& [name, slot] : slots_) {
    for (auto& [key, value] : slot.state) pointers.push_back(&value);
  }
  return pointers;
}

}  // namespace mica::optim
