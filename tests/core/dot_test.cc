#include "core/graph/dot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/transform/grad.h"

namespace mica {
namespace {

using ::testing::HasSubstr;

std::string printed(const Array& output, const GraphNames& names) {
  std::ostringstream text;
  print_graph(text, output, names);
  return text.str();
}

size_t count(const std::string& text, const std::string& piece) {
  size_t found = 0;
  for (size_t at = text.find(piece); at != text.npos; at = text.find(piece, at + 1)) ++found;
  return found;
}

TEST(Dot, ShowsOpsShapesTypesNamesAndConstants) {
  const Array x = zeros({5000}) + array({1.0f});
  eval(x);
  const Array y = exp(x) * x - 2.5f;
  EXPECT_EQ(to_dot(y, {{"x", x}, {"the \"result\"", y}}),
            "digraph {\n"
            "  ordering=in;\n"
            "  node [fontname=\"sans-serif\", fontsize=10];\n"
            "  n0 [label=\"x\\nfloat32 (5000,)\", shape=box];\n"
            "  n1 [label=\"exp\\nfloat32 (5000,)\", shape=ellipse];\n"
            "  n0 -> n1;\n"
            "  n2 [label=\"multiply\\nfloat32 (5000,)\", shape=ellipse];\n"
            "  n1 -> n2;\n"
            "  n0 -> n2;\n"
            "  n3 [label=\"2.5\", shape=plaintext];\n"
            "  n4 [label=\"the \\\"result\\\"\\nsubtract\\nfloat32 (5000,)\", shape=ellipse, "
            "peripheries=2];\n"
            "  n2 -> n4;\n"
            "  n3 -> n4;\n"
            "}\n");
  EXPECT_EQ(printed(y, {{"x", x}, {"y", y}}),
            "x                = input: float32 (5000,)\n"
            "t1               = exp(x): float32 (5000,)\n"
            "t2               = multiply(t1, x): float32 (5000,)\n"
            "y                = subtract(t2, 2.5): float32 (5000,)\n");
  EXPECT_FALSE(y.is_evaluated());
}

TEST(Dot, ShowsSharedNodesOnce) {
  const Array x = array({1.0f, 2.0f, 3.0f, 4.0f, 5.0f});
  const Array shared = sin(x);
  const std::string text = to_dot(Arrays{shared + 1, shared * shared}, {{"x", x}});
  EXPECT_EQ(count(text, "label=\"sin"), 1u);
  EXPECT_EQ(count(text, "peripheries=2"), 2u);
  EXPECT_EQ(count(text, "n1 -> "), 3u);
}

TEST(Dot, NumbersTheOutputsOfAnOpWithSeveral) {
  const Array a = array({{1.0f, 2.0f}, {3.0f, 4.0f}});
  const auto [q, r] = linalg::qr(a);
  const std::string text = to_dot(q * r, {{"a", a}});
  EXPECT_THAT(text, HasSubstr("float32 (2, 2)\\nfloat32 (2, 2)"));
  EXPECT_THAT(text, HasSubstr("[label=\"0\"]"));
  EXPECT_THAT(text, HasSubstr("[label=\"1\"]"));
}

TEST(Dot, ShowsGradientsAndForgetsWhatIsEvaluated) {
  const Array x = array({1.0f, 2.0f, 3.0f, 4.0f, 5.0f});
  const Array y = sin(x);
  EXPECT_THAT(to_dot(vjp([](const Arrays& in) { return Arrays{sin(in[0])}; }, {x}, {x}).second[0]),
              HasSubstr("label=\"cos"));
  eval(y);
  EXPECT_EQ(printed(y, {}), "t0               = input: float32 (5,)\n");
}

TEST(Dot, GoesAsDeepAsGraphsDo) {
  Array x = array({1.0f, 2.0f, 3.0f, 4.0f, 5.0f});
  std::string text;
  {
    // Within a derivative, long chains stay as they are.
    grad([&](const Array& in) {
      Array y = in;
      for (int i = 0; i < 100'000; ++i) y = y + 1;
      text = to_dot(y);
      return y;
    })(1.0f);
  }
  EXPECT_EQ(count(text, "label=\"add"), 100'000u);
}

TEST(Dot, RefusesAnEmptyArray) { EXPECT_THROW(to_dot(Array()), Error); }

}  // namespace
}  // namespace mica
