// The op classes behind view.h, for kernels and transforms.
#pragma once

#include "core/graph/op.h"

namespace mica {

class Reshape final : public OpWith<Reshape, ViewOp> {
 public:
  static constexpr std::string_view kName = "reshape";
  Shape shape;
  FIELDS(Reshape, shape)
  explicit Reshape(const Shape& s) : shape(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  std::optional<Layout> view(const Layout& in) const override;
};

class Transpose final : public OpWith<Transpose, ViewOp> {
 public:
  static constexpr std::string_view kName = "transpose";
  Axes axes;
  FIELDS(Transpose, axes)
  explicit Transpose(const Axes& a) : axes(a) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  std::optional<Layout> view(const Layout& in) const override;
};

class BroadcastTo final : public OpWith<BroadcastTo, ViewOp> {
 public:
  static constexpr std::string_view kName = "broadcast_to";
  Shape shape;
  FIELDS(BroadcastTo, shape)
  explicit BroadcastTo(const Shape& s) : shape(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  std::optional<Layout> view(const Layout& in) const override;
};

/// Elements start, start + step, ... of each axis, `shape` of them. Steps may be negative.
class Slice final : public OpWith<Slice, ViewOp> {
 public:
  static constexpr std::string_view kName = "slice";
  Shape start;
  Shape step;
  Shape shape;
  FIELDS(Slice, start, step, shape)
  Slice(const Shape& first, const Shape& stride, const Shape& s)
      : start(first), step(stride), shape(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  std::optional<Layout> view(const Layout& in) const override;
};

/// The transpose of Slice: zeros of shape `shape` with the input where Slice would read it.
class Unslice final : public OpWith<Unslice> {
 public:
  static constexpr std::string_view kName = "unslice";
  Shape start;
  Shape step;
  Shape shape;
  FIELDS(Unslice, start, step, shape)
  Unslice(const Shape& first, const Shape& stride, const Shape& s)
      : start(first), step(stride), shape(s) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

class Concatenate final : public OpWith<Concatenate> {
 public:
  static constexpr std::string_view kName = "concatenate";
  int axis;
  FIELDS(Concatenate, axis)
  explicit Concatenate(int a) : axis(a) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// x and any others -> x. What is computed from the result waits for the others, and is not taken
/// for what was computed from x itself.
class After final : public OpWith<After, ViewOp> {
 public:
  static constexpr std::string_view kName = "after";
  NO_FIELDS(After)
  Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
  std::optional<Layout> view(const Layout& in) const override { return in; }
};

/// The same values in row-major order. The planner inserts it where a kernel needs that, and copies
/// the parts of an array with it: input i to where output i lies.
class Contiguous final : public OpWith<Contiguous> {
 public:
  static constexpr std::string_view kName = "contiguous";
  NO_FIELDS(Contiguous)
  Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays& g) const override { return {g[0]}; }
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// The same bytes in another type.
class Bitcast final : public OpWith<Bitcast> {
 public:
  static constexpr std::string_view kName = "view";
  Dtype dtype;
  FIELDS(Bitcast, dtype)
  explicit Bitcast(Dtype d) : dtype(d) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {Array()}; }
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// start + i * step for i < count.
class Arange final : public OpWith<Arange> {
 public:
  static constexpr std::string_view kName = "arange";
  double start;
  double step;
  int64_t count;
  Dtype dtype;
  FIELDS(Arange, start, step, count, dtype)
  Arange(double first, double stride, int64_t n, Dtype d)
      : start(first), step(stride), count(n), dtype(d) {}
  Specs infer(std::span<const Spec>) const override { return {{{count}, dtype}}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {}; }
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
