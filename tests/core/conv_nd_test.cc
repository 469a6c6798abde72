#include "core/ops/conv_nd.h"

#include <gtest/gtest.h>

#include <charconv>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"
#include "tests/fixtures/fixtures.h"

namespace mica {
namespace {

using testing::check_derivatives;
using testing::error_text;
using testing::normal_array;

// The numbers of a setting of a case, one an axis; the default where it is not named.
template <size_t kAxes>
std::array<int64_t, kAxes> numbers(const fixtures::Case& c, const char* name, int64_t standard) {
  std::array<int64_t, kAxes> values;
  values.fill(standard);
  const auto found = c.settings.find(name);
  if (found == c.settings.end()) return values;
  const std::string& text = found->second;
  const char* at = text.data();
  for (int64_t& value : values) {
    at = std::from_chars(at, text.data() + text.size(), value).ptr + 1;
  }
  return values;
}

Array convolve(const fixtures::Case& c, const Array& x, const Array& w) {
  const int64_t groups = numbers<1>(c, "groups", 1)[0];
  const Conv1dOptions line = {numbers<1>(c, "stride", 1)[0], numbers<1>(c, "padding", 0)[0],
                              numbers<1>(c, "dilation", 1)[0], groups};
  const Conv2dOptions plane = {numbers<2>(c, "stride", 1), numbers<2>(c, "padding", 0),
                               numbers<2>(c, "dilation", 1), groups};
  const Conv3dOptions volume = {numbers<3>(c, "stride", 1), numbers<3>(c, "padding", 0),
                                numbers<3>(c, "dilation", 1), groups};
  if (c.name == "conv1d") return conv1d(x, w, line);
  if (c.name == "conv3d") return conv3d(x, w, volume);
  if (c.name == "conv_transpose1d") {
    return conv_transpose1d(x, w, line, numbers<1>(c, "output_padding", 0)[0]);
  }
  if (c.name == "conv_transpose2d") {
    return conv_transpose2d(x, w, plane, numbers<2>(c, "output_padding", 0));
  }
  return conv_transpose3d(x, w, volume, numbers<3>(c, "output_padding", 0));
}

TEST(ConvNd, EqualsPyTorch) {
  const auto cases = fixtures::read_cases("torch_convolutions.txt");
  ASSERT_EQ(cases.size(), 9u);
  for (const fixtures::Case& c : cases) {
    SCOPED_TRACE(c.line);
    const auto f = [&](const Arrays& in) { return Arrays{convolve(c, in[0], in[1])}; };
    for (const Dtype dtype : {float64, float32}) {
      const double tolerance = dtype == float64 ? 1e-12 : 1e-5;
      const Arrays at = {astype(c.array("x"), dtype), astype(c.array("w"), dtype)};
      const auto [y, gradients] = vjp(f, at, {astype(c.array("g"), dtype)});
      EXPECT_TRUE(fixtures::near(astype(y[0], float64), c.array("y"), tolerance));
      EXPECT_TRUE(fixtures::near(astype(gradients[0], float64), c.array("dx"), tolerance));
      EXPECT_TRUE(fixtures::near(astype(gradients[1], float64), c.array("dw"), tolerance));
    }
  }
}

TEST(ConvNd, DifferentiatesTwice) {
  for (const fixtures::Case& c : fixtures::read_cases("torch_convolutions.txt")) {
    if (c.array("x").size() > 150 || c.array("w").size() > 150) continue;
    SCOPED_TRACE(c.line);
    check_derivatives([&](const Arrays& in) { return sum(square(convolve(c, in[0], in[1]))); },
                      {c.array("x"), c.array("w")});
  }
}

TEST(ConvNd, ErrorsNameWhatWasWanted) {
  EXPECT_EQ(error_text([] {
              conv1d(zeros({3, 4}), zeros({2, 3, 4}));
            }),
            "[conv1d] got input (3, 4) and weight (2, 3, 4); wanted 3 axes each");
  EXPECT_EQ(error_text([] {
              conv_transpose1d(zeros({1, 3, 4}), zeros({4, 3, 2}), {}, 1);
            }),
            "[conv_transpose1d] output_padding is 1; wanted 0 or more and less than the stride, 1");
  EXPECT_EQ(error_text([] {
              conv_transpose2d(zeros({1, 3, 3, 4}), zeros({5, 3, 3, 2}));
            }),
            "[conv_transpose2d] input (1, 3, 3, 4) has 4 channels; weight (5, 3, 3, 2) wants 5");
  EXPECT_THROW(conv3d(zeros({1, 2, 4, 4, 3}), zeros({4, 3, 3, 3, 3})), Error);
  EXPECT_THROW(conv3d(zeros({1, 4, 4, 4, 3}), zeros({4, 3, 3, 3, 3}), {.groups = 2}), Error);
}

}  // namespace
}  // namespace mica
