// Scaling of pictures.
//
//   std::vector<uint8_t> small = resized(pixels, {480, 640, 3}, 32, 32);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/graph/shape.h"

namespace mica::trainers {

/// Linear interpolation between the centres of pixels; where a picture shrinks, the triangle is as
/// wide as the pixels it covers, so that nothing is skipped (as Pillow's BILINEAR does). `shape` is
/// (height, width, channels).
std::vector<uint8_t> resized(std::span<const uint8_t> pixels, const Shape& shape, int64_t height,
                             int64_t width);

}  // namespace mica::trainers
