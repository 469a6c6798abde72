// What the families draw from.
#pragma once

#include <rapidcheck.h>

#include <string>

#include "tests/properties/trials.h"

namespace mica::testing {

/// From low to high, both included.
int64_t draw(int64_t low, int64_t high);
bool flip_coin();
uint32_t draw_seed();

Shape draw_shape(int64_t lowest_rank, int64_t highest_rank, int64_t shortest = 0);
/// Of a shape; negative ones too.
int draw_axis(const Shape& shape);
/// Some times gives an axis other than `kept`, which may be negative, the length 0.
void maybe_empty(Shape& shape, int kept);
/// A shape that broadcasts with `shape`: some axes of length 1, some leading ones missing.
Shape draw_partner(const Shape& shape);

Array draw_normal(const Shape& shape);
Array draw_integers(const Shape& shape, int64_t low, int64_t high);

Trial trial(const std::string& name, Arrays inputs, ArrayFunction function,
            bool differentiable = true);

/// real(y) + imag(y) / 2.
Array parts(const Array& y);

/// Those of trials_layers.cc, trials_convolution.cc, and so on.
std::vector<Family> layer_families();
std::vector<Family> convolution_families();
std::vector<Family> linalg_families();
std::vector<Family> structured_families();

}  // namespace mica::testing
