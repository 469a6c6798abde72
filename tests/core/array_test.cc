#include "core/graph/array.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "core/eval/eval.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"

namespace mica {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ArrayTest, LiteralsHaveTheirTypes) {
  EXPECT_EQ(array({1, 2, 3}).dtype(), int32);
  EXPECT_EQ(array({1.5f}).dtype(), float32);
  EXPECT_EQ(array({1.5}).dtype(), float32);
  EXPECT_EQ(array<double>({1.5}).dtype(), float64);
  EXPECT_EQ(array({{1, 2}, {3, 4}}).shape(), Shape({2, 2}));
  EXPECT_THAT(error_of([] { array({{1, 2}, {3}}); }), HasSubstr("rows have 2 and 1"));
}

TEST(ArrayTest, NumbersTakeTheTypeOfArrays) {
  EXPECT_EQ((zeros({2}, float16) * 2.5).dtype(), float16);
  EXPECT_EQ((zeros({2}, int8) + 1).dtype(), int8);
  EXPECT_EQ((zeros({2}, int32) * 0.5).dtype(), float32);
  // The number keeps its full precision on the way into a float64 array.
  EXPECT_EQ((ones({1}, float64) * 0.1).item<double>(), 0.1);
}

TEST(ArrayTest, PromotesAsNumPyDoes) {
  EXPECT_EQ(promote(uint8, int8), int16);
  EXPECT_EQ(promote(uint32, int32), int64);
  EXPECT_EQ(promote(int64, float16), float16);
  EXPECT_EQ(promote(float16, bfloat16), float32);
  EXPECT_EQ(promote(float32, complex64), complex64);
  EXPECT_EQ((array({1, 2}) / array({2, 2})).dtype(), float32);
}

TEST(ArrayTest, HalvesRoundToNearestEven) {
  for (float value : {0.0f, -0.0f, 1.0f, 65504.0f, 6.1e-5f, 5.96e-8f, 0.1f, 2049.0f}) {
    const float16_t half(value);
    EXPECT_NEAR(static_cast<float>(half), value, std::abs(value) * 0x1p-11f + 0x1p-25f) << value;
  }
  EXPECT_EQ(static_cast<float>(float16_t(65520.0f)), INFINITY);
  EXPECT_EQ(static_cast<float>(bfloat16_t(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_TRUE(std::isnan(static_cast<float>(float16_t(NAN))));
  EXPECT_TRUE(std::isnan(static_cast<float>(bfloat16_t(NAN))));
}

TEST(ArrayTest, ItemWantsOneElement) {
  EXPECT_EQ(array({7}).item<int>(), 7);
  EXPECT_THAT(error_of([] { array({1, 2}).item<int>(); }), HasSubstr("shape (2,) has 2 elements"));
}

TEST(ArrayTest, ErrorsNameShapesAndTypes) {
  EXPECT_THAT(error_of([] {
                zeros({2, 3}) + zeros({4});
              }),
              HasSubstr("[add] shapes (2, 3) and (4,) do not broadcast: axis 1 has 3 and 4"));
  EXPECT_THAT(error_of([] { bitwise_and(zeros({2}), zeros({2})); }),
              HasSubstr("[bitwise_and] has no meaning for float32"));
  EXPECT_THAT(error_of([] { Array().shape(); }), HasSubstr("empty array"));
  EXPECT_THAT(error_of([] { neg(Array()); }), HasSubstr("empty array"));
}

TEST(EvalTest, KeepsWhatTheCallerHolds) {
  const Array x = array({1.0f, 2.0f});
  const Array middle = x * 3;
  const Array last = middle + 1;
  eval(last);
  EXPECT_TRUE(middle.is_evaluated());
  EXPECT_THAT(middle.to_vector<float>(), ElementsAre(3, 6));
}

// Every half, and floats of all exponents about the points where rounding turns.
TEST(ArrayTest, HalvesConvertAsTheirTypesDo) {
  std::vector<uint16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  const auto n = static_cast<int64_t>(halves.size());
  std::vector<float> floats;
  for (uint32_t upper = 0; upper < (1u << 16); upper += 3) {
    for (const uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0x1000u, 0xf001u}) {
      floats.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  const Array wide = Array::from_bytes(reinterpret_cast<const std::byte*>(floats.data()),
                                       {static_cast<int64_t>(floats.size())}, float32);
  const auto check = [&]<class T>(TypeTag<T>) {
    const Array narrow =
        Array::from_bytes(reinterpret_cast<const std::byte*>(halves.data()), {n}, dtype_of<T>);
    const auto widened = astype(narrow, float32).to_bytes();
    for (size_t i = 0; i < halves.size(); ++i) {
      uint32_t got = 0;
      std::memcpy(&got, widened.data() + 4 * i, 4);
      ASSERT_EQ(got, std::bit_cast<uint32_t>(T::to_float(halves[i]))) << i;
    }
    const auto rounded = astype(wide, dtype_of<T>).to_bytes();
    for (size_t i = 0; i < floats.size(); ++i) {
      uint16_t got = 0;
      std::memcpy(&got, rounded.data() + 2 * i, 2);
      ASSERT_EQ(got, T::from_float(floats[i])) << std::bit_cast<uint32_t>(floats[i]);
    }
  };
  check(TypeTag<float16_t>());
  check(TypeTag<bfloat16_t>());
}

TEST(EvalTest, AsyncResultsArriveAndErrorsAreThrownWhereTheyAreWaitedFor) {
  Array x = ones({1000});
  for (int i = 0; i < 10; ++i) {
    x = x + 1;
    async_eval({x});
  }
  EXPECT_EQ(x.to_vector<float>()[999], 11);
}

TEST(EvalTest, DropsLongChainsWithoutRecursion) {
  Array x = array({1.0f});
  for (int i = 0; i < 300'000; ++i) x = x + 1.0f;
  x = Array();
}

// Static arrays go at the end of the program, after the thread-local objects. That they do no harm
// there is seen by sanitizers and valgrind.
TEST(EvalTest, StaticArraysOutliveTheThread) {
  static const Array kept = exp(ones({3}) + 1.0f) * 2.0f;
  EXPECT_EQ(kept.shape(), Shape({3}));
}

}  // namespace
}  // namespace mica
