#include "core/ops/norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "core/runtime/parallel.h"
#include "core/transform/grad.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;
using testing::expect_same;
using testing::expect_values;
using testing::normal_array;

// The graph compositions that the kernels are held to, in float64.
Array composed_batch_norm(const Array& x, const Array& weight, const Array& bias, double eps) {
  Axes axes;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) axes.push_back(axis);
  const Array centred = x - mean(x, axes);
  return centred * rsqrt(mean(square(centred), axes) + eps) * weight + bias;
}

Array composed_row_norm(const Array& x, const Array& weight, const Array& bias, bool centred,
                        double eps) {
  const Array apart = centred ? x - mean(x, {-1}, true) : x;
  return apart * rsqrt(mean(square(apart), {-1}, true) + eps) * weight + bias;
}

// A bound for results that are rounded once: `roundings` units in the last place of `dtype`.
double bound(Dtype dtype, double roundings) {
  switch (dtype) {
    case Dtype::kFloat64: return roundings * 0x1p-53;
    case Dtype::kFloat32: return roundings * 0x1p-24;
    case Dtype::kFloat16: return roundings * 0x1p-11;
    default: return roundings * 0x1p-8;
  }
}

// The same values stored by columns, backwards.
Array strided(const Array& x) {
  const Array turned = transpose(flip(x));
  return flip(transpose(Array::from_bytes(turned.to_bytes().data(), turned.shape(), x.dtype())));
}

struct NormCase {
  Shape shape;
  Dtype dtype;
};

// Value and all gradients of a function of (x, weight, bias) for the cotangent g.
using NormFunction = std::function<Array(const Array&, const Array&, const Array&)>;
Arrays value_and_gradients(const NormFunction& f, const Array& x, const Array& weight,
                           const Array& bias, const Array& g) {
  auto [values, gradients] =
      vjp([&](const Arrays& in) { return Arrays{f(in[0], in[1], in[2])}; }, {x, weight, bias}, {g});
  gradients.insert(gradients.begin(), values[0]);
  return gradients;
}

void check_case(const NormCase& c, const NormFunction& fast, const NormFunction& composed) {
  SCOPED_TRACE(to_string(c.shape) + std::string(name_of(c.dtype)));
  const Dtype wide = c.dtype == float64 ? float64 : float32;
  const Array x = normal_array(c.shape, 1, c.dtype) * 2 + 3;
  const Array weight = normal_array({c.shape.back()}, 2, wide);
  const Array bias = normal_array({c.shape.back()}, 3, wide);
  const Array g = normal_array(c.shape, 4, c.dtype);
  const Arrays wanted = value_and_gradients(composed, astype(x, float64), astype(weight, float64),
                                            astype(bias, float64), astype(g, float64));
  const Arrays got = value_and_gradients(fast, x, weight, bias, g);
  const double rows = static_cast<double>(x.size() / std::max<int64_t>(x.dim(-1), 1));
  for (size_t i = 0; i < got.size(); ++i) {
    SCOPED_TRACE(i);
    // Values of some units; sums over rows of terms of about 1 round like their square root.
    const double roundings = i < 2 ? 40 : 16 * std::sqrt(rows);
    expect_same(got[i], wanted[i], bound(i < 2 ? c.dtype : wide, roundings));
  }
  const Arrays apart = value_and_gradients(fast, strided(x), weight, bias, strided(g));
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(apart[i].to_bytes(), got[i].to_bytes()) << i;
}

std::vector<NormCase> cases() {
  std::vector<NormCase> all;
  const Shape shapes[] = {{2, 1},         {7, 3},    {33, 16},    {5, 7, 9, 20},  {3000, 17},
                          {16, 9, 9, 64}, {70, 700}, {130, 1030}, {4, 2, 2, 513}, {4096, 1}};
  for (const Shape& shape : shapes) {
    for (const Dtype dtype : {float32, float64, float16, bfloat16}) all.push_back({shape, dtype});
  }
  return all;
}

TEST(BatchNormOp, EqualsItsComposition) {
  constexpr double kEps = 1e-2;
  for (const NormCase& c : cases()) {
    check_case(
        c, [](auto& x, auto& w, auto& b) { return batch_norm(x, w, b, kEps).y; },
        [](auto& x, auto& w, auto& b) { return composed_batch_norm(x, w, b, kEps); });
  }
}

TEST(RowNorm, EqualsItsComposition) {
  constexpr double kEps = 1e-2;
  for (const NormCase& c : cases()) {
    check_case(
        c, [](auto& x, auto& w, auto& b) { return layer_norm(x, w, b, kEps); },
        [](auto& x, auto& w, auto& b) { return composed_row_norm(x, w, b, true, kEps); });
    // The bias is added outside, for the two to have the same arguments.
    const auto rms = [](auto& x, auto& w, auto& b) {
      return astype(astype(rms_norm(x, w, kEps), b.dtype()) + b, x.dtype());
    };
    check_case(c, rms,
               [](auto& x, auto& w, auto& b) { return composed_row_norm(x, w, b, false, kEps); });
  }
}

TEST(RowNorm, SameBitsWithAnyNumberOfThreads) {
  const Array x = normal_array({700, 130}, 6, float32);
  const auto f = [&](const Arrays& in) {
    return sum(square(layer_norm(in[0], in[1], in[2], 1e-5)));
  };
  const Arrays at = {x, ones({130}), zeros({130})};
  const auto bytes = [&] {
    std::vector<std::vector<std::byte>> all;
    for (const Array& g : grad(f, {0, 1, 2})(at)) all.push_back(g.to_bytes());
    return all;
  };
  set_threads(1);
  const auto one = bytes();
  set_threads(2);
  EXPECT_EQ(one, bytes());
  set_threads(0);
}

TEST(RowNorm, EmptyArraysAndErrors) {
  EXPECT_EQ(layer_norm(zeros({0, 4}), ones({4}), zeros({4}), 0).to_bytes().size(), 0u);
  const auto total = [](const Array& w) { return sum(rms_norm(zeros({0, 4}), w, 1e-5)); };
  expect_values(grad(total)(ones({4})), {0, 0, 0, 0});
  EXPECT_EQ(error_text([] {
              layer_norm(zeros({4, 3}), ones({3}), zeros({4}), 0);
            }),
            "[layer_norm] bias has shape (4,), want (3,) for input of shape (4, 3)");
  EXPECT_EQ(error_text([] {
              rms_norm(zeros({4, 3}, int32), {}, 0);
            }),
            "[rms_norm] needs a floating type, got int32");
}

TEST(BatchNormOp, MomentsDoNotCancelFarFromZero) {
  const Array x = astype(normal_array({5000, 8}, 5) * 1e-2 + 1000, float32);
  const auto [mean_of, variance] = channel_moments(x);
  expect_same(mean_of, mean(astype(x, float64), {0}), 1e-7);
  const Array wanted = var(astype(x, float64), {0});
  // The values themselves are rounded by 3e-5, a third of a percent of their deviation.
  expect_same(variance / wanted, ones({8}), 5e-4);
}

TEST(BatchNormOp, SameBitsWithAnyNumberOfThreads) {
  const Array x = normal_array({64, 12, 12, 20}, 6, float32);
  const Array weight = ones({20}), bias = zeros({20});
  const auto f = [&](const Array& v) { return sum(square(batch_norm(v, weight, bias, 1e-5).y)); };
  set_threads(1);
  const std::vector<std::byte> one = grad(f)(x).to_bytes();
  set_threads(2);
  EXPECT_EQ(one, grad(f)(x).to_bytes());
  set_threads(0);
}

TEST(BatchNormOp, ErrorsNameTheShapes) {
  EXPECT_EQ(error_text([] { batch_norm(zeros({4}), {}, {}, 0); }),
            "[batch_norm] needs two or more axes, got shape (4,)");
  EXPECT_EQ(error_text([] {
              batch_norm(zeros({4, 3}), ones({4}), zeros({3}), 0);
            }),
            "[batch_norm] weight has shape (4,), want (3,) for input of shape (4, 3)");
  EXPECT_EQ(error_text([] {
              batch_norm(zeros({4, 3}, int32), {}, {}, 0);
            }),
            "[batch_norm] needs a floating type, got int32");
}

}  // namespace
}  // namespace mica
