// Helpers of the tests of augmentation.
#pragma once

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <variant>
#include <vector>

#include "data/augment.h"
#include "tests/core/io_testing.h"

namespace mica::data {

struct Set {
  std::string name;
  std::variant<int64_t, double, std::string, NumberPair> value;
};

inline AugmentStep step(const std::string& name, const std::vector<Set>& sets = {}) {
  const AugmentRow* row = find_row(augment_rows(), name);
  EXPECT_NE(row, nullptr) << name;
  AugmentStep result = {name, row->make()};
  for (const Set& set : sets) {
    bool found = false;
    for (Setting& setting : result.augment->settings()) {
      if (setting.name != set.name) continue;
      found = true;
      std::visit(
          [&](const auto& value) {
            *std::get<std::decay_t<decltype(value)>*>(setting.value) = value;
          },
          set.value);
    }
    EXPECT_TRUE(found) << set.name;
  }
  return result;
}

/// Values count up from 1.
inline FloatImage counting_image(int64_t height, int64_t width, int64_t channels) {
  FloatImage image{height, width, channels, {}};
  image.values.resize(static_cast<size_t>(height * width * channels));
  std::iota(image.values.begin(), image.values.end(), 1.f);
  return image;
}

/// Random pictures of 6 x 5 x 3, labels row % 3.
inline std::shared_ptr<const Dataset> pictures(int64_t rows) {
  Split split{HostTensor(Dtype::kUint8, {rows, 6, 5, 3}), HostTensor(Dtype::kInt32, {rows})};
  uint32_t state = 1;
  for (uint8_t& value : split.x.as<uint8_t>()) {
    value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  }
  for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
    split.y.as<int32_t>()[i] = static_cast<int32_t>(i % 3);
  }
  DatasetInfo info;
  info.class_names = {"a", "b", "c"};
  info.mean = {100, 120, 140};
  info.std = {50, 60, 70};
  return Dataset::from_memory(info, {{"train", split}});
}

/// Bytes as a noisy photograph has them.
inline FloatImage random_image(int64_t height, int64_t width, int64_t channels, uint32_t seed = 1) {
  FloatImage image = counting_image(height, width, channels);
  for (float& value : image.values) {
    value = static_cast<float>((seed = seed * 1664525 + 1013904223) >> 24);
  }
  return image;
}

}  // namespace mica::data
