// Optimizers over named arrays: a rule for one array (rules.h), its state for each parameter, and
// groups of parameters with settings of their own.
//
//   optim::Optimizer optimizer(optim::Sgd{.lr = 0.05, .momentum = 0.9},
//                              {{.pattern = "*.bias", .weight_decay = 0}});
//   auto [loss, gradients] = step(x, y);                        // nn::value_and_grad
//   optimizer.update(model.named_parameters(), gradients, schedule(optimizer.steps()));
//   eval(model.named_parameters()..., optimizer.state_arrays());
//
// update() only builds graph: new parameters and state are lazy until they are evaluated. What
// depends on the step (learning rate, bias corrections) is computed on the host in double and
// enters the graph as scalars, so that all steps share one plan. An Optimizer belongs to one
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/settings.h"
#include "core/graph/array.h"

namespace mica::optim {

using NamedArrays = std::map<std::string, Array>;
using NamedPointers = std::vector<std::pair<std::string, Array*>>;
/// What a rule remembers of one parameter, by name ("momentum").
using State = std::map<std::string, Array>;

/// A rule with its type erased. See RuleOf for what a rule is made of.
class Rule {
 public:
  virtual ~Rule() = default;
  /// Pointers into this object; the first is the learning rate.
  virtual std::vector<Setting> settings() = 0;
  virtual std::unique_ptr<Rule> clone() const = 0;
  /// Throws Error for settings that are out of range or contradict each other.
  virtual void check() const = 0;
  virtual double lr() const = 0;
  virtual State init(const Array& parameter) const = 0;
  virtual Arrays scalars(double lr, int64_t step) const = 0;
  virtual Array update(const Array& parameter, const Array& gradient, State& state,
                       const Arrays& scalars) const = 0;
};

/// Wraps a FIELDS struct with members `lr`, check, init, scalars and update (rules.h).
template <class T>
class RuleOf final : public Rule {
 public:
  RuleOf() = default;
  explicit RuleOf(T rule) : rule_(std::move(rule)) {}
  std::vector<Setting> settings() override { return settings_of(rule_); }
  std::unique_ptr<Rule> clone() const override { return std::make_unique<RuleOf>(*this); }
  void check() const override {
    check_settings(rule_, T::kTypeName);
    if constexpr (requires { rule_.check(); }) rule_.check();
  }
  double lr() const override { return rule_.lr; }
  State init(const Array& parameter) const override { return rule_.init(parameter); }
  Arrays scalars(double lr, int64_t step) const override { return rule_.scalars(lr, step); }
  Array update(const Array& parameter, const Array& gradient, State& state,
               const Arrays& scalars) const override {
    return rule_.update(parameter, gradient, state, scalars);
  }

 private:
  T rule_;
};

/// Parameters whose name matches a glob ("*.bias", "0.*"), and what differs for them. A parameter
/// belongs to the first group that matches.
struct Group {
  std::string pattern = "*";
  double lr_factor = 1;
  std::optional<double> weight_decay = std::nullopt;
};

class Optimizer {
 public:
  explicit Optimizer(std::unique_ptr<Rule> rule, std::vector<Group> groups = {});
  template <class T>
    requires HasFields<T>
  explicit Optimizer(T rule, std::vector<Group> groups = {})
      : Optimizer(std::make_unique<RuleOf<T>>(std::move(rule)), std::move(groups)) {}

  /// Assigns each parameter that has a gradient its next value. Throws Error, leaving everything as
  /// it was, for gradients of another shape or without a parameter, and in the first call for a
  /// group that matches no parameter.
  void update(const NamedPointers& parameters, const NamedArrays& gradients, double lr);
  /// The same at the rule's own learning rate.
  void update(const NamedPointers& parameters, const NamedArrays& gradients) {
    update(parameters, gradients, lr());
  }

  /// The two halves of update(), for compiled steps. begin_update counts the step and gives the
  /// numbers that it depends on (learning rates, bias corrections), to be passed as arguments;
  /// `parameters` are those that will have a gradient. finish_update is graph code: it takes these
  /// numbers as scalars of the parameters' type and assigns the next values.
  Arrays begin_update(const NamedPointers& parameters, double lr);
  void finish_update(const NamedPointers& parameters, const NamedArrays& gradients,
                     const Arrays& scalars);

  double lr() const { return rule_->lr(); }
  /// Number of updates so far.
  int64_t steps() const { return steps_; }

  /// All that has to be saved to go on as if never stopped: "steps", and for each parameter its
  /// rule's state and number of updates: "fc1.weight.momentum", "fc1.weight.step".
  NamedArrays state() const;
  /// The inverse of state(). Throws Error for names or shapes that state() does not give.
  void load_state(const NamedArrays& state);
  /// The lazy part of state(), to be evaluated along with the parameters.
  Arrays state_arrays() const;
  /// The same, to be assigned; valid until the next call of update, begin_update or load_state.
  std::vector<Array*> state_pointers();

 private:
  struct Slot {
    State state;
    int64_t step = 0;  // updates of this parameter; fewer than steps() if it was frozen for a while
  };
  size_t group_of(const std::string& name) const;
  void check(const NamedPointers& parameters, const NamedArrays& gradients) const;
  void check_groups(const NamedPointers& parameters) const;
  Arrays advance(const NamedPointers& parameters, double lr);

  std::unique_ptr<Rule> rule_;
  std::vector<Group> groups_;
  std::vector<std::unique_ptr<Rule>> group_rules_;  // one a group, and rule_'s clone for the rest
  std::map<std::string, Slot> slots_;
  int64_t steps_ = 0;
  // Parameters of one group and number of updates share their scalars: where these begin in what
  // begin_update gave, and how many there are.
  std::map<std::pair<size_t, int64_t>, std::pair<size_t, size_t>> scalars_of_;
};

}  // namespace mica::optim
