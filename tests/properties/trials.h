// Uses of ops drawn at random by RapidCheck: shapes, axes, settings, dtypes and memory layouts.
//
//   for (const Family& family : families()) {
//     rc::check(family.name, [&] { Trial trial = family.draw(); ... });
//   }
//
// A family that fails is shrunk to small shapes and reported with what was drawn.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/core/numeric.h"

namespace mica::testing {

struct Trial {
  std::string text;  // what is done to which shapes
  ArrayFunction function;
  Arrays inputs;  // row-major
  bool differentiable = true;
};

struct Family {
  std::string name;
  std::function<Trial()> draw;   // inside of rc::check
  bool has_fixed_types = false;  // float64 inputs only
  bool has_kinks = false;        // derivatives jump where inputs tie or cross 0
};
std::vector<Family> families();

/// The same values in memory of another layout: transposed, every second element, backwards,
/// repeated, or with an offset.
Array laid_out(const Array& x);

}  // namespace mica::testing
