// Rotary position embedding (Su et al. 2021, RoFormer, equation 34).
//
//   q = rope(q, 64);          // q (B, H, L, 64): row t is turned by angles that grow with t
//   k = rope(k, 64);          // products of q and k then depend on distances only
#pragma once

#include "core/graph/array.h"

namespace mica {

struct RopeOptions {
  bool traditional = false;  // pairs are neighbours, not the two halves of the features
  double base = 10'000;      // pair j turns by position * base^(-2 j / dims)
  double scale = 1;          // of positions
  double offset = 0;         // position of the first row
};

/// Turns the first `dims` features (last axis) of x (..., L, D) in pairs, by angles that depend on
/// the position along L. The others stay. Half types are computed in float32. Throws Error for
/// fewer than two axes, for types that are not floating, and unless dims is even, positive and at
/// most D.
Array rope(const Array& x, int64_t dims, const RopeOptions& options = {});

}  // namespace mica
