#include "optim/rules.h"

#include <cmath>

#include "core/base/error.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"

namespace mica::optim {
namespace {

Array decayed(const Array& g, const Array& p, double weight_decay) {
  return weight_decay == 0 ? g : g + weight_decay * p;
}

Array blend(const Array& mean, const Array& value, double decay) {
  return decay * mean + (1 - decay) * value;
}

// State, scalars and step of Adam and AdamW, which differ in the weight decay only.
State adam_init(const Array& p, bool amsgrad) {
  State state = {{"mean", zeros_like(p)}, {"square", zeros_like(p)}};
  if (amsgrad) state["largest_square"] = zeros_like(p);
  return state;
}

double corrected_lr(double lr, const NumberPair& betas, int64_t step) {
  return lr / (1 - std::pow(betas[0], static_cast<double>(step)));
}

double square_correction(const NumberPair& betas, int64_t step) {
  return 1 / std::sqrt(1 - std::pow(betas[1], static_cast<double>(step)));
}

Array adam_step(const Array& g, State& s, const NumberPair& betas, double eps, const Array& lr,
                const Array& correction) {
  const Array m = s["mean"] = blend(s["mean"], g, betas[0]);
  Array v = s["square"] = blend(s["square"], square(g), betas[1]);
  if (const auto largest = s.find("largest_square"); largest != s.end()) {
    v = largest->second = maximum(largest->second, v);
  }
  return lr * m / (sqrt(v) * correction + eps);
}

}  // namespace

State Sgd::init(const Array& p) const {
  if (momentum == 0) return {};
  return {{"momentum", zeros_like(p)}};
}

Arrays Sgd::scalars(double lr, int64_t step) const { return {lr, step == 1 ? 1 : 1 - dampening}; }

Array Sgd::update(const Array& p, Array g, State& s, const Arrays& c) const {
  g = decayed(g, p, weight_decay);
  if (momentum == 0) return p - c[0] * g;
  const Array b = s["momentum"] = momentum * s["momentum"] + c[1] * g;
  return p - c[0] * (nesterov ? g + momentum * b : b);
}

void Sgd::check() const {
  if (nesterov && (momentum == 0 || dampening != 0)) {
    fail("[Sgd] nesterov needs momentum above 0 and dampening 0, got {} and {}", momentum,
         dampening);
  }
}

State Adam::init(const Array& p) const { return adam_init(p, amsgrad); }

Arrays Adam::scalars(double lr, int64_t step) const {
  return {corrected_lr(lr, betas, step), square_correction(betas, step)};
}

Array Adam::update(const Array& p, const Array& g, State& s, const Arrays& c) const {
  return p - adam_step(decayed(g, p, weight_decay), s, betas, eps, c[0], c[1]);
}

State AdamW::init(const Array& p) const { return adam_init(p, amsgrad); }

Arrays AdamW::scalars(double lr, int64_t step) const {
  return {corrected_lr(lr, betas, step), square_correction(betas, step), 1 - lr * weight_decay};
}

Array AdamW::update(const Array& p, const Array& g, State& s, const Arrays& c) const {
  return p * c[2] - adam_step(g, s, betas, eps, c[0], c[1]);
}

State RmsProp::init(const Array& p) const {
  State state = {{"square", zeros_like(p)}};
  if (momentum > 0) state["momentum"] = zeros_like(p);
  if (centered) state["mean"] = zeros_like(p);
  return state;
}

Arrays RmsProp::scalars(double lr, int64_t) const { return {lr}; }

Array RmsProp::update(const Array& p, Array g, State& s, const Arrays& c) const {
  g = decayed(g, p, weight_decay);
  Array v = s["square"] = blend(s["square"], square(g), alpha);
  if (centered) {
    s["mean"] = blend(s["mean"], g, alpha);
    v = maximum(v - square(s["mean"]), 0);  // a variance; rounding may leave it just below 0
  }
  const Array direction = g / (sqrt(v) + eps);
  if (momentum == 0) return p - c[0] * direction;
  s["momentum"] = momentum * s["momentum"] + direction;
  return p - c[0] * s["momentum"];
}

State Adagrad::init(const Array& p) const { return {{"sum", zeros_like(p) + initial_accumulator}}; }

Arrays Adagrad::scalars(double lr, int64_t step) const {
  return {lr / (1 + static_cast<double>(step - 1) * lr_decay)};
}

Array Adagrad::update(const Array& p, Array g, State& s, const Arrays& c) const {
  g = decayed(g, p, weight_decay);
  s["sum"] = s["sum"] + square(g);
  return p - c[0] * g / (sqrt(s["sum"]) + eps);
}

State Lion::init(const Array& p) const { return {{"momentum", zeros_like(p)}}; }

Arrays Lion::scalars(double lr, int64_t) const { return {lr, 1 - lr * weight_decay}; }

Array Lion::update(const Array& p, const Array& g, State& s, const Arrays& c) const {
  const Array direction = sign(blend(s["momentum"], g, betas[0]));
  s["momentum"] = blend(s["momentum"], g, betas[1]);
  return p * c[1] - c[0] * direction;
}

}  // namespace mica::optim
