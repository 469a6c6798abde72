// The optimizers, each as a rule for one array: settings, initial state, and the update as graph
// code. The formulas are those of PyTorch's single-tensor versions; Lion is the paper's.
//
//   optim::Optimizer optimizer(optim::Adam{.lr = 1e-3});
//
// A rule is a FIELDS struct whose first field is `lr`, with
//   State init(const Array& p) const;                       state before the first update
//   Arrays scalars(double lr, int64_t step) const;          what depends on the step alone (step
//                                                           counts from 1), computed in double
//   Array update(p, g, State& s, const Arrays& c) const;    the next p, from gradient g
//   void check() const;                                     optional: settings that contradict
// and a row in optimizers.def. Rules hold no arrays and are thread-safe.
#pragma once

#include "optim/optimizer.h"

namespace mica::optim {

/// Gradient descent with momentum (Polyak; Nesterov by Sutskever et al. 2013).
/// b = momentum b + (1 - dampening) g, at first b = g;  p -= lr b  (Nesterov: lr (g + momentum b)).
struct Sgd {
  double lr = 0.01;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  FIELDS(Sgd, lr, momentum, dampening, weight_decay, nesterov)
  static constexpr FieldInfo kFieldInfo[] = {
      {"learning rate", 0},
      {"share of the last step that is kept", 0, 1},
      {"share of the gradient left out of the momentum", 0, 1},
      {"this times the parameter is added to the gradient", 0},
      {"look ahead along the momentum"}};
  State init(const Array& p) const;
  Arrays scalars(double lr, int64_t step) const;
  Array update(const Array& p, Array g, State& s, const Arrays& c) const;
  void check() const;
};

/// Kingma & Ba 2015, algorithm 1; AMSGrad by Reddi et al. 2018.
struct Adam {
  double lr = 1e-3;
  NumberPair betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
  FIELDS(Adam, lr, betas, eps, weight_decay, amsgrad)
  static constexpr FieldInfo kFieldInfo[] = {
      {"learning rate", 0},
      {"decay of the means of the gradient and of its square", 0, 1},
      {"added to the root of the squares' mean", 0},
      {"this times the parameter is added to the gradient", 0},
      {"divide by the largest mean of squares so far"}};
  State init(const Array& p) const;
  Arrays scalars(double lr, int64_t step) const;
  Array update(const Array& p, const Array& g, State& s, const Arrays& c) const;
};

/// Adam with the weights decayed apart from the gradient (Loshchilov & Hutter 2019).
struct AdamW {
  double lr = 1e-3;
  NumberPair betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0.01;
  bool amsgrad = false;
  FIELDS(AdamW, lr, betas, eps, weight_decay, amsgrad)
  static constexpr FieldInfo kFieldInfo[] = {
      {"learning rate", 0},
      {"decay of the means of the gradient and of its square", 0, 1},
      {"added to the root of the squares' mean", 0},
      {"lr times this share of the parameter is taken off each step", 0},
      {"divide by the largest mean of squares so far"}};
  State init(const Array& p) const;
  Arrays scalars(double lr, int64_t step) const;
  Array update(const Array& p, const Array& g, State& s, const Arrays& c) const;
};

/// Tieleman & Hinton 2012; centred by Graves 2013.
struct RmsProp {
  double lr = 0.01;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  FIELDS(RmsProp, lr, alpha, eps, weight_decay, momentum, centered)
  static constexpr FieldInfo kFieldInfo[] = {
      {"learning rate", 0},
      {"decay of the mean of squared gradients", 0, 1},
      {"added to the root of the mean", 0},
      {"this times the parameter is added to the gradient", 0},
      {"share of the last step that is kept", 0, 1},
      {"divide by the variance instead of the mean square"}};
  State init(const Array& p) const;
  Arrays scalars(double lr, int64_t step) const;
  Array update(const Array& p, Array g, State& s, const Arrays& c) const;
};

/// Duchi et al. 2011.
struct Adagrad {
  double lr = 0.01;
  double lr_decay = 0;
  double eps = 1e-10;
  double weight_decay = 0;
  double initial_accumulator = 0;
  FIELDS(Adagrad, lr, lr_decay, eps, weight_decay, initial_accumulator)
  static constexpr FieldInfo kFieldInfo[] = {
      {"learning rate", 0},
      {"lr is divided by 1 + this times the steps before", 0},
      {"added to the root of the sum of squares", 0},
      {"this times the parameter is added to the gradient", 0},
      {"sum of squares before the first step", 0}};
  State init(const Array& p) const;
  Arrays scalars(double lr, int64_t step) const;
  Array update(const Array& p, Array g, State& s, const Arrays& c) const;
};

/// Chen et al. 2023, algorithm 2.
struct Lion {
  double lr = 1e-4;
  NumberPair betas = {0.9, 0.99};
  double weight_decay = 0;
  FIELDS(Lion, lr, betas, weight_decay)
  static constexpr FieldInfo kFieldInfo[] = {
      {"learning rate", 0},
      {"decay in the step and in the momentum", 0, 1},
      {"lr times this share of the parameter is taken off each step", 0}};
  State init(const Array& p) const;
  Arrays scalars(double lr, int64_t step) const;
  Array update(const Array& p, const Array& g, State& s, const Arrays& c) const;
};

}  // namespace mica::optim
