#include "core/io/npy.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/io/file.h"
#include "tests/core/io_testing.h"

namespace mica {
namespace {

HostTensor counting(Dtype dtype, const Shape& shape, double factor = 1) {
  std::vector<double> values(static_cast<size_t>(size_of(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) * factor;
  return convert(HostTensor::from(values, shape), dtype);
}

TEST(Npy, ReadsFilesOfNumpy) {
  for (const char* name : {"uint8", "int32", "float16", "float32", "float64", "complex64"}) {
    EXPECT_EQ(read_npy(fixture(fmt::format("io/{}.npy", name))),
              counting(*dtype_from_name(name), {2, 3}, 1.5))
        << name;
  }
  EXPECT_EQ(read_npy(fixture("io/bool.npy")),
            HostTensor::from<bool>({true, false, true, false, true, false}, {2, 3}));
  EXPECT_EQ(read_npy(fixture("io/fortran.npy")), counting(Dtype::kFloat32, {2, 3, 4}));
  EXPECT_EQ(read_npy(fixture("io/big_endian.npy")), counting(Dtype::kInt32, {2, 3}));
  EXPECT_EQ(read_npy(fixture("io/scalar.npy")), HostTensor::from<float>({2.5f}, {}));
  EXPECT_EQ(read_npy(fixture("io/empty.npy")), HostTensor(Dtype::kFloat32, {0, 3}));
}

TEST(Npy, WritesTheBytesOfNumpy) {
  for (const char* name :
       {"uint8", "int32", "float16", "float32", "complex64", "scalar", "empty", "bool"}) {
    const std::string path = fixture(fmt::format("io/{}.npy", name));
    EXPECT_EQ(format_npy(read_npy(path)), read_file(path)) << name;
  }
}

TEST(Npy, ReadsBackEveryDtype) {
  TemporaryFolder folder;
  for (int i = 0; i < kDtypeCount; ++i) {
    const HostTensor tensor = counting(static_cast<Dtype>(i), {3, 1, 2});
    write_npy(folder / "a.npy", tensor);
    EXPECT_EQ(read_npy(folder / "a.npy"), tensor) << name_of(tensor.dtype);
  }
}

TEST(Npy, SaysWhatIsWrong) {
  TemporaryFolder folder;
  expect_error(ErrorKind::kData, {"texts.npy", "<U2", "not supported"},
               [] { read_npy(fixture("io/texts.npy")); });
  expect_error(ErrorKind::kData, {"objects.npy", "|O", "not supported"},
               [] { read_npy(fixture("io/objects.npy")); });
  expect_error(ErrorKind::kData, {"stored.npz", "no .npy file"},
               [] { read_npy(fixture("io/stored.npz")); });
  std::vector<std::byte> bytes = read_file(fixture("io/float32.npy"));
  bytes.pop_back();
  write_file(folder / "short.npy", bytes);
  expect_error(ErrorKind::kData, {"short.npy", "23 bytes", "wanted 24", "(2, 3)"},
               [&] { read_npy(folder / "short.npy"); });
  bytes.resize(40);
  write_file(folder / "shorter.npy", bytes);
  expect_error(ErrorKind::kData, {"shorter.npy", "cut off"},
               [&] { read_npy(folder / "shorter.npy"); });
}

TEST(Npz, ReadsFilesOfNumpy) {
  const auto stored = read_npz(fixture("io/stored.npz"));
  EXPECT_EQ(stored.size(), 2u);
  EXPECT_EQ(stored.at("x"), counting(Dtype::kFloat32, {2, 3}));
  EXPECT_EQ(stored.at("y"), HostTensor::from<int64_t>({1, 2}, {2}));
  const auto deflated = read_npz(fixture("io/deflated.npz"));
  EXPECT_EQ(deflated.at("x"), counting(Dtype::kInt64, {600}));
  EXPECT_EQ(deflated.at("y"), HostTensor::from<float>({7}, {}));
}

TEST(Npz, ReadsBackWhatItWrote) {
  TemporaryFolder folder;
  const std::map<std::string, HostTensor> arrays = {{"a", counting(Dtype::kFloat32, {100, 3})},
                                                    {"b/c", counting(Dtype::kInt8, {})}};
  for (const bool compress : {false, true}) {
    write_npz(folder / "a.npz", arrays, compress);
    EXPECT_EQ(read_npz(folder / "a.npz"), arrays);
    const std::vector<std::byte> first = read_file(folder / "a.npz");
    write_npz(folder / "a.npz", arrays, compress);
    EXPECT_EQ(read_file(folder / "a.npz"), first);
  }
}

TEST(Npz, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const std::vector<std::byte> bytes = read_file(fixture("io/deflated.npz"));
  write_file(folder / "half.npz", std::span(bytes).first(bytes.size() / 2));
  expect_error(ErrorKind::kData, {"half.npz", "cut off"}, [&] { read_npz(folder / "half.npz"); });
  std::vector<std::byte> changed = read_file(fixture("io/stored.npz"));
  changed[180] ^= std::byte{1};  // inside the values of x
  write_file(folder / "changed.npz", changed);
  expect_error(ErrorKind::kData, {"changed.npz", "x.npy", "CRC"},
               [&] { read_npz(folder / "changed.npz"); });
}

}  // namespace
}  // namespace mica
