#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "core/eval/eval.h"
#include "core/io/array_io.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "tests/core/python.h"

namespace mica {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Texts of NumPy 2.4, with the dtype where it leaves that of int64, float64 and bool out.
TEST(Print, IsTheTextOfNumPy) {
  EXPECT_EQ(array({1, -20, 3}).to_string(), "array([  1, -20,   3], dtype=int32)");
  EXPECT_EQ(array({{1.0f, 2.5f}, {3.0f, -4.0f}}).to_string(),
            "array([[ 1. ,  2.5],\n       [ 3. , -4. ]], dtype=float32)");
  EXPECT_EQ(Array::scalar(2.5, float32).to_string(), "array(2.5, dtype=float32)");
  EXPECT_EQ(Array(true).to_string(), "array(True, dtype=bool)");
  EXPECT_EQ(array({true, false}).to_string(), "array([ True, False], dtype=bool)");
  EXPECT_EQ(zeros({0, 3}).to_string(), "array([], shape=(0, 3), dtype=float32)");
  EXPECT_EQ(zeros({0}).to_string(), "array([], dtype=float32)");
  EXPECT_EQ(array({1.0f, kNan, -kInfinity}).to_string(),
            "array([  1.,  nan, -inf], dtype=float32)");
  EXPECT_EQ(array({1e-5f, 1.0f, 0.0f}).to_string(),
            "array([1.e-05, 1.e+00, 0.e+00], dtype=float32)");
  EXPECT_EQ(array({0.1f, 1.0f / 3.0f}).to_string(),
            "array([0.1       , 0.33333334], dtype=float32)");
  EXPECT_EQ(arange(2000).to_string(),
            "array([   0,    1,    2, ..., 1997, 1998, 1999],\n      shape=(2000,), dtype=int32)");
  EXPECT_EQ(zeros({2, 1, 2}, int32).to_string(),
            "array([[[0, 0]],\n\n       [[0, 0]]], dtype=int32)");
}

TEST(Print, GoesToStreams) {
  std::ostringstream text;
  text << array({1, 2}) + 1 << " " << 3;
  EXPECT_EQ(text.str(), "array([2, 3], dtype=int32) 3");
}

TEST(Print, HoldsForArraysOfEveryKindThatNumPyPrints) {
  if (!python_has(
          "numpy as np; assert tuple(map(int, np.__version__.split(\".\")[:2])) >= (2, 3)")) {
    GTEST_SKIP() << "python3 with numpy 2.3 or later is not installed";
  }
  TemporaryFolder folder;
  run_python(fmt::format(R"(
import numpy as np, os
os.chdir('{}')
np._core.arrayprint.dtype_is_implied = lambda dtype: False  # Mica shows every dtype
r = np.random.default_rng(0)
shapes = [(), (1,), (5,), (30,), (3, 4), (1001,), (2, 3, 4), (40, 50), (7, 8, 30), (2, 1, 2, 3),
          (6, 200), (1, 1500), (5, 5, 5, 10)]
arrays = []
for shape in shapes:
    for dtype in ['f2', 'f4', 'f8']:
        normal = r.standard_normal(shape)
        with np.errstate(over='ignore'):
            for a in [normal, normal * 1000, np.round(normal * 8) / 4, np.round(normal * 50),
                      10.0 ** r.uniform(-6, 7, shape), 10.0 ** r.uniform(-3, 0, shape),
                      np.round(10.0 ** r.uniform(-2, 3, shape), 2), normal * 1e-30, normal * 1e30,
                      np.where(r.random(shape) < 0.3, np.nan, normal),
                      np.where(r.random(shape) < 0.3, -np.inf, np.round(normal)),
                      np.where(r.random(shape) < 0.5, np.inf, np.nan), np.zeros(shape) - 0.0,
                      10.0 ** r.uniform(0, 8, shape)]:
                arrays.append(np.asarray(a).astype(dtype))
        if dtype == 'f8':
            arrays.append(np.asarray(10.0 ** r.uniform(-200, 200, shape)))
    for dtype in ['i1', 'i4', 'i8', 'u1', 'u8']:
        arrays.append(np.asarray(r.integers(0, 100, shape)).astype(dtype))
        info = np.iinfo(dtype)
        arrays.append(np.asarray(r.integers(info.min, info.max, shape, dtype)))
    arrays.append(np.asarray(r.random(shape) < 0.5))
    for a in [r.standard_normal(shape) + 1j * r.standard_normal(shape),
              np.round(r.standard_normal(shape) * 4) - 2j,
              10 ** r.uniform(-5, 3, shape) + 1j * np.where(r.random(shape) < 0.2, np.nan, 1.5)]:
        arrays.append(np.asarray(a).astype('c8'))
np.savez('arrays.npz', **{{'%05d' % i: a for i, a in enumerate(arrays)}})
open('texts', 'w').write('\0'.join(repr(a) for a in arrays) + '\0')
)",
                         folder.path()));
  const std::vector<std::byte> bytes = read_file(folder / "texts");
  const std::string_view texts(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  size_t at = 0, count = 0;
  for (const auto& [name, array] : load_all(folder / "arrays.npz")) {
    const size_t end = texts.find('\0', at);
    ASSERT_NE(end, texts.npos);
    EXPECT_EQ(array.to_string(), texts.substr(at, end - at)) << "array " << name;
    if (HasFailure()) return;
    at = end + 1;
    ++count;
  }
  EXPECT_GT(count, 700u);
  EXPECT_EQ(at, texts.size());
}

}  // namespace
}  // namespace mica
