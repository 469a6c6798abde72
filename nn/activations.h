// Activations: for each row of activations.def a function and a module without parameters.
//
//   Array y = nn::leaky_relu(x, 0.2);
//   nn::Relu relu;   nn::LeakyRelu leaky{{.slope = 0.2}};
//
// Shape and dtype of the result are the input's. Functions build graph and are thread-safe.
#pragma once

#include "core/base/settings.h"
#include "core/ops/elementwise.h"
#include "core/ops/softmax.h"
#include "nn/module.h"
#include "nn/precision.h"

namespace mica::nn {

/// What all activations share: the shape stays, each element costs one operation.
template <class Self>
class ActivationWith : public ModuleWith<Self> {
 public:
  Shape output_shape(const Shape& input) const override { return input; }
  double flops(const Shape& input) const override { return static_cast<double>(size_of(input)); }
};

#define ACTIVATION(name, Type, doc)                                  \
  using mica::name;                                                  \
  struct Type##Config {                                              \
    NO_FIELDS(Type##Config)                                          \
  };                                                                 \
  class Type : public ActivationWith<Type> {                         \
   public:                                                           \
    Type() = default;                                                \
    explicit Type(const Type##Config&) {}                            \
    NO_FIELDS(Type)                                                  \
    Array forward(const Array& x) override { return mica::name(x); } \
  };
#define ACTIVATION_WITH(name, Type, FieldType, field, initial, value, doc)               \
  inline Array name(const Array& x, FieldType field = initial) { return value; }         \
  struct Type##Config {                                                                  \
    FieldType field = initial;                                                           \
    FIELDS(Type##Config, field)                                                          \
  };                                                                                     \
  class Type : public ActivationWith<Type> {                                             \
   public:                                                                               \
    explicit Type(const Type##Config& config = {}) : config(config) {}                   \
    Type##Config config;                                                                 \
    FIELDS(Type, config)                                                                 \
    Array forward(const Array& x) override { return ::mica::nn::name(x, config.field); } \
  };
#include "nn/activations.def"
#undef ACTIVATION
#undef ACTIVATION_WITH

}  // namespace mica::nn
