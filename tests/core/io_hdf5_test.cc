#include "core/io/hdf5.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

#include "core/io/file.h"
#include "tests/core/io_testing.h"

namespace mica {
namespace {

HostTensor counting(Dtype dtype, const Shape& shape) {
  std::vector<double> values(static_cast<size_t>(size_of(shape)));
  std::iota(values.begin(), values.end(), 0.0);
  return convert(HostTensor::from(values, shape), dtype);
}

void write_everything(const std::string& path) {
  Hdf5Writer out;
  for (int i = 0; i < kDtypeCount; ++i) {
    const Dtype dtype = static_cast<Dtype>(i);
    out.write("/types/" + std::string(name_of(dtype)), counting(dtype, {2, 3}));
  }
  out.write("/scalar", counting(Dtype::kFloat32, {}));
  out.write("/empty", HostTensor(Dtype::kFloat32, {0, 3}));
  out.write_text("/config", "lr: 0.1 # naïve\n");
  out.write_text("/nothing", "");
  out.create_group("/model/layers");
  out.set_attribute("/", "format", "test");
  out.set_attribute("/", "step", int64_t{-7});
  out.set_attribute("/", "rate", 0.25);
  out.set_attribute("/model", "names", std::vector<std::string>{"a", "", "long name"});
  out.set_attribute("/model", "mean", counting(Dtype::kFloat64, {3}));
  out.set_attribute("/model", "huge", std::string(100'000, 'x'));
  out.save(path);
}

TEST(Hdf5, ReadsBackWhatItWrote) {
  TemporaryFolder folder;
  write_everything(folder / "a.h5");
  const Hdf5Reader in(folder / "a.h5");
  for (int i = 0; i < kDtypeCount; ++i) {
    const Dtype dtype = static_cast<Dtype>(i);
    const std::string name = "/types/" + std::string(name_of(dtype));
    EXPECT_EQ(in.dtype(name), dtype);
    EXPECT_EQ(in.read(name), counting(dtype, {2, 3})) << name;
  }
  EXPECT_EQ(in.shape("/scalar"), Shape{});
  EXPECT_EQ(in.read("/empty").shape, (Shape{0, 3}));
  EXPECT_EQ(in.read_text("/config"), "lr: 0.1 # naïve\n");
  EXPECT_EQ(in.read_text("/nothing"), "");
  EXPECT_EQ(in.list("/model"), std::vector<std::string>{"layers"});
  EXPECT_TRUE(in.is_group("/model/layers"));
  EXPECT_FALSE(in.has("/model/none"));
  EXPECT_EQ(in.attribute_text("/", "format"), "test");
  EXPECT_EQ(in.attribute_int("/", "step"), -7);
  EXPECT_EQ(in.attribute_double("/", "rate"), 0.25);
  EXPECT_EQ(in.attribute_texts("/model", "names"),
            (std::vector<std::string>{"a", "", "long name"}));
  EXPECT_EQ(in.attribute("/model", "mean"), counting(Dtype::kFloat64, {3}));
  EXPECT_EQ(in.attribute_text("/model", "huge").size(), 100'000u);
  EXPECT_FALSE(in.has_attribute("/", "none"));
}

TEST(Hdf5, ReadsRows) {
  const Hdf5Reader in(fixture("io/h5py.h5"));
  const HostTensor rows = in.read_rows("/chunked", 93, 4);
  EXPECT_EQ(rows.shape, (Shape{4, 10}));
  EXPECT_EQ(rows.as<int32_t>()[0], 930);
  EXPECT_EQ(rows.as<int32_t>()[39], 969);
  expect_error(ErrorKind::kData, {"h5py.h5", "(100, 10)", "99 to 101"},
               [&] { in.read_rows("/chunked", 99, 2); });
}

TEST(Hdf5, ReadsFilesOfH5py) {
  const Hdf5Reader in(fixture("io/h5py.h5"));
  for (const std::string& name : in.list("/types")) {
    HostTensor expected = counting(*dtype_from_name(name), {2, 3});
    if (name == "bool") {
      for (int i = 0; i < 6; ++i) expected.as<bool>()[static_cast<size_t>(i)] = i % 2 == 0;
    }
    if (name == "complex64") {
      for (complex64_t& value : expected.as<complex64_t>()) value += complex64_t(0, 0.5f);
    }
    EXPECT_EQ(in.read("/types/" + name), expected) << name;
  }
  EXPECT_EQ(in.list("/types").size(), 13u);
  EXPECT_EQ(in.read("/big_endian").as<double>()[5], 1.25);
  EXPECT_EQ(in.read("/scalar").as<float>()[0], 2.5f);
  EXPECT_EQ(in.read_text("/text"), "naïve");
  EXPECT_EQ(in.read_texts("/texts"), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(in.read_texts("/fixed_texts"), (std::vector<std::string>{"a", "bcd"}));
  EXPECT_EQ(in.attribute_int("/", "step"), 120);
  EXPECT_EQ(in.attribute_double("/", "rate"), 0.25);
  EXPECT_EQ(in.attribute_text("/", "name"), "run");
  EXPECT_EQ(in.attribute_texts("/", "names"), (std::vector<std::string>{"x", "yz"}));
  EXPECT_EQ(in.attribute("/", "mean").as<double>()[1], 2.5);
}

TEST(Hdf5, EqualContentsAreEqualBytes_slow) {
  TemporaryFolder folder;
  write_everything(folder / "a.h5");
  usleep(1'100'000);  // HDF5's times count seconds
  write_everything(folder / "b.h5");
  EXPECT_EQ(read_file(folder / "a.h5"), read_file(folder / "b.h5"));
}

TEST(Hdf5, SaysWhatIsWrong) {
  TemporaryFolder folder;
  write_everything(folder / "a.h5");
  std::vector<std::byte> bytes = read_file(folder / "a.h5");
  bytes.resize(bytes.size() / 2);
  write_file(folder / "half.h5", bytes);
  write_file(folder / "text.h5", "this is no HDF5 file");
  write_file(folder / "empty.h5", "");
  expect_error(ErrorKind::kData, {"half.h5", "cut off", "truncated"},
               [&] { Hdf5Reader(folder / "half.h5"); });
  expect_error(ErrorKind::kData, {"text.h5", "no HDF5 file"},
               [&] { Hdf5Reader(folder / "text.h5"); });
  expect_error(ErrorKind::kData, {"empty.h5", "is empty"},
               [&] { Hdf5Reader(folder / "empty.h5"); });
  expect_error(ErrorKind::kData, {"none.h5", "no such file"},
               [&] { Hdf5Reader(folder / "none.h5"); });
  const Hdf5Reader in(folder / "a.h5");
  expect_error(ErrorKind::kData, {"a.h5", "no dataset /model/w"}, [&] { in.read("/model/w"); });
  expect_error(ErrorKind::kData, {"a.h5", "no attribute none"},
               [&] { in.attribute_text("/", "none"); });
  expect_error(ErrorKind::kData, {"a.h5", "format", "no number"},
               [&] { in.attribute_int("/", "format"); });
  expect_error(ErrorKind::kData, {"/config", "no number"}, [&] { in.read("/config"); });
  expect_error(ErrorKind::kData, {"/scalar", "no text"}, [&] { in.read_text("/scalar"); });
}

TEST(Hdf5, AChangedByteOfAFileOfOursIsFoundBeforeHdf5SeesIt) {
  TemporaryFolder folder;
  write_everything(folder / "a.h5");
  const std::vector<std::byte> good = read_file(folder / "a.h5");
  for (size_t at = 0; at + 24 < good.size(); at += good.size() / 37) {
    std::vector<std::byte> bytes = good;
    bytes[at] ^= std::byte{0x10};
    write_file(folder / "b.h5", bytes);
    expect_error(ErrorKind::kData, {"b.h5", "damaged", "CRC"},
                 [&] { Hdf5Reader(folder / "b.h5"); });
  }
}

/// A file of somebody else: without our checksum.
void write_unsealed(const std::string& path, std::vector<std::byte> bytes) {
  bytes.resize(bytes.size() - 24);
  write_file(path, bytes);
}

TEST(Hdf5, ReadsEverythingFromFilesWithoutASeal) {
  TemporaryFolder folder;
  write_everything(folder / "a.h5");
  write_unsealed(folder / "b.h5", read_file(folder / "a.h5"));
  const Hdf5Reader ours(folder / "a.h5"), other(folder / "b.h5");
  EXPECT_EQ(other.datasets(), ours.datasets());
  for (const std::string& name : ours.datasets()) {
    EXPECT_EQ(other.is_numeric(name), ours.is_numeric(name)) << name;
    if (ours.is_numeric(name))
      EXPECT_EQ(other.read(name), ours.read(name)) << name;
    else
      EXPECT_EQ(other.read_texts(name), ours.read_texts(name)) << name;
  }
  EXPECT_EQ(other.attribute("/model", "mean"), ours.attribute("/model", "mean"));
  EXPECT_EQ(other.attribute_text("/model", "huge"), ours.attribute_text("/model", "huge"));
  EXPECT_EQ(other.read_rows("/types/float32", 1, 1), ours.read_rows("/types/float32", 1, 1));
  expect_error(ErrorKind::kData, {"b.h5", "no dataset /none"}, [&] { other.read("/none"); });
  EXPECT_TRUE(other.has("/model/layers"));  // an error is no end
}

TEST(Hdf5, DamageOfAFileWithoutASealIsOneError_slow) {
  TemporaryFolder folder;
  std::vector<std::byte> good = read_file(fixture("io/h5py.h5"));
  size_t errors = 0;
  // Bytes of the metadata turned over one by one: HDF5 refuses some, reads others, crashes on a
  // few.
  for (size_t at = 0; at < 4096; at += 13) {
    std::vector<std::byte> bytes = good;
    bytes[at] ^= std::byte{0xff};
    write_file(folder / "bad.h5", bytes);
    try {
      const Hdf5Reader file(folder / "bad.h5");
      for (const std::string& name : file.datasets()) {
        if (file.is_numeric(name)) file.read(name);
      }
    } catch (const Error& error) {
      ++errors;
      EXPECT_EQ(error.kind(), ErrorKind::kData) << error.what();
      EXPECT_NE(std::string(error.what()).find("bad.h5"), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(errors, 20u);
}

TEST(Hdf5, AGroupThatHoldsItselfIsWalkedOnce) {
  const Hdf5Reader file(fixture("io/cycle.h5"));
  EXPECT_EQ(file.datasets(), (std::vector<std::string>{"g/x", "soft"}));
}

TEST(Hdf5, RefusesATakenName) {
  Hdf5Writer out;
  out.write("/a", counting(Dtype::kFloat32, {2}));
  expect_error(ErrorKind::kData, {"cannot write /a", "exists"},
               [&] { out.write("/a", counting(Dtype::kFloat32, {2})); });
}

}  // namespace
}  // namespace mica
