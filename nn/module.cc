#include "nn/module.h"

#include <fnmatch.h>

#include "core/base/error.h"
#include "core/io/hdf5.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/transform/grad.h"

namespace mica::nn {
namespace {

const std::string kGroup = "/model";

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

std::string with_thousands(int64_t number) {
  std::string text = std::to_string(number);
  for (int64_t at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<size_t>(at), 1, ',');
  }
  return text;
}

// Puts parameters and buffers back when the scope is left, whichever way.
class Restore {
 public:
  explicit Restore(const NamedPointers& arrays) {
    for (const auto& [name, array] : arrays) saved_.emplace_back(array, *array);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  ~Restore() {
    for (auto& [array, value] : saved_) *array = value;
  }

 private:
  std::vector<std::pair<Array*, Array>> saved_;
};

void check_entry(const std::string& name, const Array& value, const Array& wanted) {
  if (value.shape() == wanted.shape()) return;
  fail("[load_state] '{}' has shape {}, the module's has {}", name, to_string(value.shape()),
       to_string(wanted.shape()));
}

}  // namespace

struct Module::Parameter {
  std::string name;
  std::string own_name;
  Array* array;
  Module* owner;
};

Shape Module::output_shape(const Shape& input) const {
  Module& module = const_cast<Module&>(*this);  // everything is put back below
  const bool training = training_;
  const Restore buffers(module.named_buffers());
  struct Mode {
    Module& module;
    bool training;
    ~Mode() { module.train(training); }
  } mode{module, training};
  module.train(false);
  return module.forward(zeros(input)).shape();
}

double Module::flops(const Shape&) const { return 0; }

void Module::collect(const std::string& prefix, std::vector<Parameter>& parameters,
                     NamedPointers& buffers) {
  for (Member& member : members()) {
    const std::string name = join(prefix, member.name);
    if (Array** array = std::get_if<Array*>(&member.value)) {
      if ((*array)->defined()) parameters.push_back({name, member.name, *array, this});
    } else if (Buffer** buffer = std::get_if<Buffer*>(&member.value)) {
      if ((*buffer)->value.defined()) buffers.emplace_back(name, &(*buffer)->value);
    } else if (Module** child = std::get_if<Module*>(&member.value)) {
      (*child)->collect(name, parameters, buffers);
    }
  }
}

NamedPointers Module::named_parameters() {
  std::vector<Parameter> parameters;
  NamedPointers buffers, result;
  collect("", parameters, buffers);
  for (const Parameter& p : parameters) result.emplace_back(p.name, p.array);
  return result;
}

NamedPointers Module::named_trainable_parameters() {
  std::vector<Parameter> parameters;
  NamedPointers buffers, result;
  collect("", parameters, buffers);
  for (const Parameter& p : parameters) {
    if (!p.owner->frozen_.contains(p.own_name)) result.emplace_back(p.name, p.array);
  }
  return result;
}

NamedPointers Module::named_buffers() {
  std::vector<Parameter> parameters;
  NamedPointers buffers;
  collect("", parameters, buffers);
  return buffers;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const auto& [name, array] : const_cast<Module*>(this)->named_parameters()) {
    count += array->size();
  }
  return count;
}

void Module::train(bool training) {
  training_ = training;
  for (Member& member : members()) {
    if (Module** child = std::get_if<Module*>(&member.value)) (*child)->train(training);
  }
}

int Module::set_frozen(const std::string& pattern, bool frozen) {
  std::vector<Parameter> parameters;
  NamedPointers buffers;
  collect("", parameters, buffers);
  int matched = 0;
  for (const Parameter& p : parameters) {
    if (fnmatch(pattern.c_str(), p.name.c_str(), 0) != 0) continue;
    ++matched;
    if (frozen)
      p.owner->frozen_.insert(p.own_name);
    else
      p.owner->frozen_.erase(p.own_name);
  }
  if (matched == 0) {
    fail("[{}] no parameter of {} matches '{}'", frozen ? "freeze" : "unfreeze", type_name(),
         pattern);
  }
  return matched;
}

NamedArrays Module::state() const {
  Module& module = const_cast<Module&>(*this);
  NamedArrays state;
  for (const auto& [name, array] : module.named_parameters()) state[name] = *array;
  for (const auto& [name, array] : module.named_buffers()) state[name] = *array;
  return state;
}

void Module::load_state(const NamedArrays& state) {
  NamedPointers wanted = named_parameters();
  for (auto& entry : named_buffers()) wanted.push_back(std::move(entry));
  std::set<std::string> known;
  for (const auto& [name, array] : wanted) {
    const auto found = state.find(name);
    if (found == state.end()) fail("[load_state] '{}' of {} is missing", name, type_name());
    check_entry(name, found->second, *array);
    known.insert(name);
  }
  for (const auto& [name, array] : state) {
    if (!known.contains(name)) fail("[load_state] {} has nothing named '{}'", type_name(), name);
  }
  for (const auto& [name, array] : wanted) *array = astype(state.at(name), array->dtype());
}

void Module::save(const std::string& path) const {
  Hdf5Writer out;
  out.create_group(kGroup);
  for (const auto& [name, array] : state()) out.write(kGroup + "/" + name, to_host(array));
  out.save(path);
}

void Module::load(const std::string& path) {
  const Hdf5Reader in(path);
  if (!in.is_group(kGroup)) fail(ErrorKind::kData, "{}: no group {} with weights", path, kGroup);
  NamedArrays state;
  for (const std::string& name : in.list(kGroup)) {
    state[name] = to_array(in.read(kGroup + "/" + name));
  }
  try {
    load_state(state);
  } catch (const Error& error) {
    fail(ErrorKind::kData, "{}: {}", path, error.what());
  }
}

void Module::print(std::string& out, const std::string& name, int depth) const {
  out.append(2 * static_cast<size_t>(depth), ' ');
  if (!name.empty()) out += name + ": ";
  out += type_name();
  std::string settings, arrays;
  std::vector<std::pair<std::string, const Module*>> children;
  for (const Member& member : const_members()) {
    if (const auto* setting = std::get_if<std::function<std::string()>>(&member.value)) {
      settings += fmt::format("{}{}={}", settings.empty() ? "" : ", ", member.name, (*setting)());
    } else if (Array* const* array = std::get_if<Array*>(&member.value)) {
      if (!(*array)->defined()) continue;
      arrays += fmt::format("{} {}{}", arrays.empty() ? "" : ",", member.name,
                            mica::to_string((*array)->shape()));
      if (frozen_.contains(member.name)) arrays += " frozen";
    } else if (Module* const* child = std::get_if<Module*>(&member.value)) {
      children.emplace_back(member.name, *child);
    }
  }
  out += fmt::format("({})", settings);
  const int64_t count = parameter_count();
  if (!arrays.empty()) out += ":" + arrays;
  if (count > 0) out += fmt::format(": {} parameters", with_thousands(count));
  out += '\n';
  for (const auto& [child_name, child] : children) child->print(out, child_name, depth + 1);
}

std::string Module::to_string() const {
  std::string out;
  print(out, "", 0);
  return out;
}

std::pair<Arrays, NamedArrays> value_and_grad_of(Module& module, const std::function<Arrays()>& f) {
  const NamedPointers parameters = module.named_trainable_parameters();
  const NamedPointers buffers = module.named_buffers();
  if (parameters.empty()) fail("[value_and_grad] {} has no parameter to train", module.type_name());
  Arrays primals;
  for (const auto& [name, array] : parameters) primals.push_back(*array);

  size_t value_count = 0;
  // Buffers travel as extra results, so that what f assigned to them is theirs after the call.
  auto traced = [&](const Arrays& inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) *parameters[i].second = inputs[i];
    Arrays results = f();
    value_count = results.size();
    for (const auto& [name, buffer] : buffers) results.push_back(*buffer);
    return results;
  };
  Arrays results, gradients;
  {
    const Restore restore_buffers(buffers);
    const Restore restore_parameters(parameters);
    std::tie(results, gradients) = value_and_grad_aux(traced)(primals);
  }
  for (size_t i = 0; i < buffers.size(); ++i) *buffers[i].second = results[value_count + i];
  NamedArrays named;
  for (size_t i = 0; i < gradients.size(); ++i) named[parameters[i].first] = gradients[i];
  results.resize(value_count);
  return {std::move(results), std::move(named)};
}

}  // namespace mica::nn
