#include "core/io/array_io.h"

#include <gtest/gtest.h>

#include "core/io/hdf5.h"
#include "core/ops/elementwise.h"
#include "tests/core/io_testing.h"

namespace mica {
namespace {

TEST(ArrayIo, ReadsBackWhatItSaved) {
  TemporaryFolder folder;
  const Array a = array({1.0f, 2.0f, 3.0f}) * 2;  // not evaluated yet
  const Array b = array({{1, 2}, {3, 4}});
  save_npy(folder / "a.npy", a);
  EXPECT_EQ(load_npy(folder / "a.npy").to_vector<float>(), (std::vector<float>{2, 4, 6}));

  save_npz(folder / "ab.npz", {{"a", a}, {"b", b}}, true);
  save_hdf5(folder / "ab.h5", {{"a", a}, {"group/b", b}});
  const std::map<std::string, Array> npz = load_npz(folder / "ab.npz");
  const std::map<std::string, Array> hdf5 = load_hdf5(folder / "ab.h5");
  EXPECT_EQ(npz.size(), 2u);
  EXPECT_EQ(hdf5.size(), 2u);
  for (const Array& read : {npz.at("b"), hdf5.at("group/b")}) {
    EXPECT_EQ(read.shape(), (Shape{2, 2}));
    EXPECT_EQ(read.dtype(), int32);
    EXPECT_EQ(read.to_vector<int>(), (std::vector<int>{1, 2, 3, 4}));
  }
}

TEST(ArrayIo, LeavesTextsOut) {
  TemporaryFolder folder;
  Hdf5Writer out;
  out.write_text("config", "lr: 0.1");
  out.write("w", HostTensor::from<float>({1, 2}, {2}));
  out.save(folder / "a.h5");
  EXPECT_EQ(load_hdf5(folder / "a.h5").size(), 1u);
}

}  // namespace
}  // namespace mica
