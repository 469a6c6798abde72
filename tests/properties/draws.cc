#include "tests/properties/draws.h"

#include "core/eval/eval.h"
#include "core/ops/complex.h"
#include "core/ops/elementwise.h"

namespace mica::testing {
namespace {

std::string text_of(const std::string& name, const Arrays& inputs) {
  std::string text = name;
  for (const Array& x : inputs) text += fmt::format(" {} {}", x.dtype(), to_string(x.shape()));
  return text;
}

}  // namespace

int64_t draw(int64_t low, int64_t high) { return *rc::gen::inRange<int64_t>(low, high + 1); }
bool flip_coin() { return *rc::gen::arbitrary<bool>(); }

Shape draw_shape(int64_t lowest_rank, int64_t highest_rank, int64_t shortest) {
  Shape shape;
  const int64_t rank = draw(lowest_rank, highest_rank);
  for (int64_t i = 0; i < rank; ++i) shape.push_back(draw(shortest, 5));
  return shape;
}

int draw_axis(const Shape& shape) {
  const auto rank = static_cast<int64_t>(shape.size());
  return static_cast<int>(draw(-rank, rank - 1));
}

void maybe_empty(Shape& shape, int kept) {
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t at = draw(0, rank - 1), sometimes = draw(0, 5);
  if (sometimes == 5 && at != (kept + rank) % rank) shape[static_cast<size_t>(at)] = 0;
}

uint32_t draw_seed() { return static_cast<uint32_t>(draw(1, 1000)); }

Array draw_normal(const Shape& shape) { return normal_array(shape, draw_seed(), float64); }

Array draw_integers(const Shape& shape, int64_t low, int64_t high) {
  const uint32_t seed = draw_seed();
  std::vector<int64_t> values;
  for (int64_t i = 0; i < size_of(shape); ++i) {
    values.push_back(low + static_cast<int64_t>(seed * 7919u + static_cast<uint32_t>(i) * 104729u) %
                               std::max<int64_t>(1, high - low + 1));
  }
  return astype(Array::from(values, shape), int32);
}

Shape draw_partner(const Shape& shape) {
  const auto dropped = static_cast<size_t>(draw(0, static_cast<int64_t>(shape.size())));
  Shape partner(shape.begin() + static_cast<std::ptrdiff_t>(dropped), shape.end());
  for (int64_t& length : partner) {
    if (flip_coin()) length = 1;
  }
  return partner;
}

Array parts(const Array& y) { return real(y) + 0.5 * imag(y); }

Trial trial(const std::string& name, Arrays inputs, ArrayFunction function, bool differentiable) {
  return {text_of(name, inputs), std::move(function), std::move(inputs), differentiable};
}

}  // namespace mica::testing
