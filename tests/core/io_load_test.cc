// load and save of every format: what is mapped, what is converted, and what is refused.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <numeric>

#include "core/eval/eval.h"
#include "core/graph/node.h"
#include "core/io/array_io.h"
#include "core/io/file.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "tests/core/io_testing.h"
#include "tests/core/python.h"

namespace mica {
namespace {

constexpr const char* kFormats[] = {"a.npz", "a.safetensors", "a.h5"};

/// Values of any dtype, small enough to be exact in all.
Array counting(Dtype dtype, const Shape& shape) {
  std::vector<double> values(static_cast<size_t>(size_of(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 101);
  return to_array(convert(HostTensor::from(values, shape), dtype));
}

TEST(Load, ReadsBackEveryDtypeInEveryFormat) {
  TemporaryFolder folder;
  for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{3, 1, 2}, Shape{7, 1001}}) {
    std::map<std::string, Array> arrays;
    for (int i = 0; i < kDtypeCount; ++i) {
      const auto dtype = static_cast<Dtype>(i);
      arrays[std::string(name_of(dtype))] = counting(dtype, shape);
    }
    for (const std::string name : kFormats) {
      std::map<std::string, Array> known = arrays;
      if (name.ends_with(".safetensors")) {
        known.erase("complex128");
        expect_error(ErrorKind::kUsage, {"complex128"}, [&] { save(folder / name, arrays); });
      }
      save(folder / name, known);
      const std::map<std::string, Array> loaded = load_all(folder / name);
      ASSERT_EQ(loaded.size(), known.size()) << name;
      for (const auto& [key, array] : known) {
        const Array& read = loaded.at(key);
        EXPECT_EQ(read.dtype(), array.dtype()) << name << " " << key;
        EXPECT_EQ(read.shape(), shape) << name << " " << key;
        EXPECT_EQ(read.to_bytes(), array.to_bytes()) << name << " " << key;
      }
    }
    for (const auto& [key, array] : arrays) {
      save(folder / "a.npy", array);
      EXPECT_EQ(load(folder / "a.npy").to_bytes(), array.to_bytes()) << key;
    }
  }
}

TEST(Load, KnowsFilesByHowTheyBegin) {
  TemporaryFolder folder;
  const Array a = counting(float32, {5});
  for (const char* name : {"a.npy", "a.npz", "a.safetensors", "a.h5"}) {
    save(folder / name, a);
    std::filesystem::rename(folder / name, folder / "a.weights");
    EXPECT_EQ(load(folder / "a.weights").to_bytes(), a.to_bytes()) << name;
    EXPECT_EQ(load_all(folder / "a.weights").begin()->first, "arr_0") << name;
  }
}

TEST(Load, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const Array a = counting(float32, {5});
  expect_error(ErrorKind::kUsage, {"a.txt", ".npy, .npz, .safetensors"},
               [&] { save(folder / "a.txt", a); });
  expect_error(ErrorKind::kUsage, {"a.npy", "one array, got 2"}, [&] {
    save(folder / "a.npy", {{"x", a}, {"y", a}});
  });
  save(folder / "two.npz", {{"x", a}, {"y", a}});
  expect_error(ErrorKind::kData, {"two.npz", "2 arrays", "x, y"},
               [&] { load(folder / "two.npz"); });
  expect_error(ErrorKind::kData, {"none.npz", "No such file"}, [&] { load(folder / "none.npz"); });
  expect_error(ErrorKind::kData, {"none", "No such file"}, [&] { load(folder / "none"); });
  expect_error(ErrorKind::kData, {folder.path(), "folder"}, [&] { load(folder.path()); });
  write_file(folder / "notes", "shopping list");
  expect_error(ErrorKind::kData, {"notes", "no known format"}, [&] { load(folder / "notes"); });
  for (const char* name : {"a.npy", "a.npz", "a.safetensors", "a.h5"}) {
    write_file(folder / name, "");
    expect_error(ErrorKind::kData, {name}, [&] { load(folder / name); });
  }
  EXPECT_EQ(folder.list().size(), 6u);  // what failed to be saved left nothing behind
}

TEST(Load, MapsWhatCanBeUsedAsItLies) {
  TemporaryFolder folder;
  const Array a = counting(float32, {64, 1024});
  save(folder / "a.npy", a);
  save(folder / "a.npz", a);
  save(folder / "a.safetensors", {{"w", a}, {"odd", counting(uint8, {3})}});
  save_npz(folder / "deflated.npz", {{"a", a}}, true);
  const size_t before = memory_use().active;
  const Array npy = load(folder / "a.npy"), npz = load(folder / "a.npz");
  const Array safetensors = load_all(folder / "a.safetensors").at("w");
  for (const Array& mapped : {npy, npz, safetensors}) {
    EXPECT_EQ(mapped.node()->pending, nullptr);
    EXPECT_EQ(mapped.to_bytes(), a.to_bytes());
  }
  EXPECT_EQ(memory_use().active, before) << "the pool held values of mapped files";
  const Array deflated = load(folder / "deflated.npz");
  ASSERT_NE(deflated.node()->pending, nullptr);
  EXPECT_FALSE(deflated.node()->pending->is_done());
  EXPECT_EQ((deflated + 1).to_bytes(), (a + 1).to_bytes());
  EXPECT_TRUE(deflated.node()->pending->is_done());
}

/// Pages of a mapping that are in memory.
size_t resident_kib(const std::string& path) {
  std::string line;
  bool mine = false;
  size_t kib = 0;
  const std::vector<std::byte> bytes = [] {
    std::vector<std::byte> all;
    const int file = ::open("/proc/self/smaps", O_RDONLY);
    std::byte part[65536];
    for (ssize_t got = 0; (got = ::read(file, part, sizeof(part))) > 0;)
      all.insert(all.end(), part, part + got);
    ::close(file);
    return all;
  }();
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1);
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.find('-') < 20 && line.find(' ') < 40 && line.find("Size:") == line.npos)
      mine = line.find(path) != line.npos;
    if (mine && line.starts_with("Rss:")) kib += std::strtoull(line.c_str() + 4, nullptr, 10);
  }
  return kib;
}

TEST(Load, ReadsOnlyThePagesOfASlice) {
  TemporaryFolder folder;
  // A sparse file of 10 GiB, whose pages nobody has written.
  const std::string path = folder / "huge.npy";
  const Shape shape = {int64_t{10} << 10, int64_t{1} << 18};
  const std::vector<std::byte> start = [&] {
    std::string dictionary =
        fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", to_string(shape));
    dictionary.resize(117, ' ');
    const std::string text = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + dictionary + "\n";
    const auto bytes = std::as_bytes(std::span(text));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }();
  write_file(path, start);
  const uint64_t bytes = start.size() + static_cast<uint64_t>(size_of(shape)) * 4;
  if (::truncate(path.c_str(), static_cast<off_t>(bytes)) != 0) GTEST_SKIP() << "no sparse files";
  const int file = ::open(path.c_str(), O_WRONLY);
  const float seven = 7;
  ASSERT_EQ(::pwrite(file, &seven, 4, static_cast<off_t>(start.size() + (uint64_t{5000} << 20))),
            4);
  ::close(file);

  const Array huge = load(path);
  EXPECT_EQ(huge.shape(), shape);
  EXPECT_LE(resident_kib(path), 1024u);
  EXPECT_NE(huge.to_string().find("shape=(10240, 262144), dtype=float32)"), std::string::npos);
  EXPECT_LE(resident_kib(path), 1024u) << "printed are the corners";
  const Array row = slice(huge, {5000, 0}, {5001, 1 << 18});
  EXPECT_EQ(sum(row).item<float>(), 7);
  EXPECT_LE(resident_kib(path), 4096u) << "a row of 1 MiB was read";
}

TEST(Load, ConvertsOrdersAndMisalignedValues) {
  TemporaryFolder folder;
  const Array a = counting(float32, {40, 50, 3});
  const auto check = [&](const std::string& header, std::vector<std::byte> values) {
    std::string text = header;
    const size_t length = (64 - (10 + text.size() + 1) % 64) % 64 + text.size() + 1;
    text.resize(length - 1, ' ');
    std::vector<std::byte> bytes;
    const std::string start = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(length) +
                              std::string(1, '\0') + text + "\n";
    for (const char c : start) bytes.push_back(static_cast<std::byte>(c));
    bytes.insert(bytes.end(), values.begin(), values.end());
    write_file(folder / "a.npy", bytes);
    const Array read = load(folder / "a.npy");
    EXPECT_EQ(read.to_bytes(), a.to_bytes()) << header;
    EXPECT_EQ((read * 2).to_bytes(), (a * 2).to_bytes()) << header;
    EXPECT_EQ(sum(read, {1}).to_bytes(), sum(a, {1}).to_bytes()) << header;
    EXPECT_EQ(to_array(read_npy(folder / "a.npy")).to_bytes(), a.to_bytes()) << header;
  };
  const std::string shape = "'shape': (40, 50, 3), }";
  const std::vector<std::byte> fortran = transpose(a, {2, 1, 0}).to_bytes();
  const auto swapped = [](std::vector<std::byte> bytes) {
    for (size_t i = 0; i < bytes.size(); i += 4) std::reverse(&bytes[i], &bytes[i] + 4);
    return bytes;
  };
  check("{'descr': '<f4', 'fortran_order': True, " + shape, fortran);
  check("{'descr': '>f4', 'fortran_order': False, " + shape, swapped(a.to_bytes()));
  check("{'descr': '>f4', 'fortran_order': True, " + shape, swapped(fortran));

  // Values at an odd place of the file: the text of the header is one byte longer than it should
  // be.
  save_safetensors(folder / "a.safetensors", {{"a", a}});
  std::vector<std::byte> bytes = read_file(folder / "a.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  bytes.insert(bytes.begin() + 8 + static_cast<ptrdiff_t>(length), std::byte{' '});
  ++length;
  std::memcpy(bytes.data(), &length, 8);
  write_file(folder / "odd.safetensors", bytes);
  const Array odd = load(folder / "odd.safetensors");
  EXPECT_NE(odd.node()->pending, nullptr);
  EXPECT_EQ(odd.to_bytes(), a.to_bytes());
}

TEST(Load, AnyByteButZeroIsTrue) {
  TemporaryFolder folder;
  save(folder / "a.npy", counting(bool_, {5000}));
  std::vector<std::byte> bytes = read_file(folder / "a.npy");
  bytes[bytes.size() - 2] = std::byte{7};
  write_file(folder / "a.npy", bytes);
  EXPECT_EQ(load(folder / "a.npy").to_bytes()[4998], std::byte{1});
  EXPECT_EQ(read_npy(folder / "a.npy").bytes[4998], std::byte{1});
}

TEST(Load, AFileCutShortLaterIsAnErrorWhereValuesAreRead) {
  TemporaryFolder folder;
  const Array a = counting(float32, {1 << 20});
  save(folder / "a.npy", a);
  {
    const Array read = load(folder / "a.npy");
    EXPECT_EQ(sum(slice(read, {0}, {1000})).item<float>(),
              sum(slice(a, {0}, {1000})).item<float>());
    ASSERT_EQ(::truncate((folder / "a.npy").c_str(), 8192), 0);
    expect_error(ErrorKind::kData, {"a.npy", "cut short"}, [&] { read.to_bytes(); });
    expect_error(ErrorKind::kData, {"a.npy", "cut short"}, [&] { eval(read + 1); });
    expect_error(ErrorKind::kData, {"a.npy", "cut short"}, [&] { eval(sum(read)); });
  }
  // With the arrays gone, so is the error.
  eval(sum(counting(float32, {1 << 16}) + 1));
  save_npz(folder / "b.npz", {{"b", a}}, true);
  const Array deflated = load(folder / "b.npz");
  ASSERT_EQ(::truncate((folder / "b.npz").c_str(), 0), 0);
  expect_error(ErrorKind::kData, {"b.npz"}, [&] { deflated.to_bytes(); });
}

TEST(Load, KeepsItsValuesWhenTheFileIsSavedAgain) {
  TemporaryFolder folder;
  const Array a = counting(float32, {100, 100});
  for (const char* name : {"a.npy", "a.npz", "a.safetensors"}) {
    save(folder / name, a);
    Array read = load(folder / name);
    save(folder / name, read + 1);  // reads the old file while it writes the new one
    EXPECT_EQ(read.to_bytes(), a.to_bytes()) << name;
    EXPECT_EQ(load(folder / name).to_bytes(), (a + 1).to_bytes()) << name;
  }
}

TEST(Load, OutlivesTheMapOfArraysAndIsNeverWrittenTo) {
  TemporaryFolder folder;
  const Array a = counting(float32, {100, 100});
  save(folder / "a.safetensors", {{"a", a}});
  Array w = load_all(folder / "a.safetensors").at("a");
  for (int step = 0; step < 3; ++step) {
    w = w * 2;  // would take over the bytes of a dying input
    eval(w);
  }
  EXPECT_EQ(w.to_bytes(), (a * 8).to_bytes());
  EXPECT_EQ(load(folder / "a.safetensors").to_bytes(), a.to_bytes());
}

TEST(Load, ReadsWhatPythonWrote) {
  if (!python_has("numpy, safetensors.numpy")) {
    GTEST_SKIP() << "python3 with numpy and safetensors is not installed";
  }
  TemporaryFolder folder;
  run_python(fmt::format(R"(
import numpy as np, os
from safetensors.numpy import save_file
os.chdir('{}')
names = ['bool', 'uint8', 'uint16', 'uint32', 'uint64', 'int8', 'int16', 'int32', 'int64',
         'float16', 'float32', 'float64', 'complex64']
arrays = {{n: (np.arange(7007) % 101).reshape(7, 1001).astype(n) for n in names}}
np.savez('stored.npz', **arrays)
np.savez_compressed('deflated.npz', **arrays)
np.savez('fortran.npz', **{{n: np.asfortranarray(a) for n, a in arrays.items()}})
np.savez('big.npz', **{{n: a.astype(a.dtype.newbyteorder('>')) for n, a in arrays.items()}})
save_file({{n: a for n, a in arrays.items()}}, 'a.safetensors', {{'made by': 'naïve'}})
save_file({{'empty': np.zeros((0, 3), 'f4'), 'scalar': np.array(2.5)}}, 'edge.safetensors')
)",
                         folder.path()));
  for (const char* name :
       {"stored.npz", "deflated.npz", "fortran.npz", "big.npz", "a.safetensors"}) {
    const std::map<std::string, Array> arrays = load_all(folder / name);
    ASSERT_EQ(arrays.size(), 13u) << name;
    for (const auto& [dtype, array] : arrays) {
      const Array wanted = counting(*dtype_from_name(dtype), {7, 1001});
      EXPECT_EQ(array.dtype(), wanted.dtype());
      EXPECT_EQ(array.shape(), wanted.shape());
      EXPECT_EQ(array.to_bytes(), wanted.to_bytes()) << name << " " << dtype;
    }
  }
  EXPECT_EQ(load_safetensors(folder / "a.safetensors").metadata.at("made by"), "naïve");
  const std::map<std::string, Array> edge = load_all(folder / "edge.safetensors");
  EXPECT_EQ(edge.at("empty").shape(), (Shape{0, 3}));
  EXPECT_EQ(edge.at("scalar").item<double>(), 2.5);
}

TEST(Load, PythonReadsWhatWeWrote) {
  if (!python_has("numpy, h5py, safetensors.numpy")) {
    GTEST_SKIP() << "python3 with numpy, h5py and safetensors is not installed";
  }
  TemporaryFolder folder;
  std::map<std::string, Array> arrays;
  for (int i = 0; i < kDtypeCount; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    // NumPy has none, and .safetensors neither.
    if (dtype == bfloat16 || dtype == complex128) continue;
    arrays[std::string(name_of(dtype))] = counting(dtype, {7, 1001});
  }
  arrays["scalar"] = Array::scalar(2.5, float64);
  arrays["empty"] = counting(float32, {0, 3});
  save(folder / "a.npz", arrays);
  save_npz(folder / "b.npz", arrays, true);
  save(folder / "a.h5", arrays);
  save_safetensors(folder / "a.safetensors", arrays, {{"by", "naïve \"mica\"\n"}});
  EXPECT_EQ(run_python(fmt::format(R"(
import numpy as np, h5py, os
from safetensors import safe_open
from safetensors.numpy import load_file
os.chdir('{}')
def check(arrays):
    assert len(arrays) == 15, list(arrays)
    for name, a in arrays.items():
        if name == 'scalar':
            assert a.shape == () and a == 2.5
        elif name == 'empty':
            assert a.shape == (0, 3)
        else:
            wanted = (np.arange(7007) % 101).reshape(7, 1001).astype(name)
            assert a.dtype == wanted.dtype and (a == wanted).all(), name
for name in ['a.npz', 'b.npz']:
    with np.load(name) as f:
        check({{k: f[k] for k in f.files}})
with h5py.File('a.h5') as f:
    check({{k: f[k][()] for k in f}})
check(load_file('a.safetensors'))
with safe_open('a.safetensors', 'np') as f:
    assert f.metadata() == {{'by': 'naïve "mica"\n'}}
print('equal')
)",
                                   folder.path())),
            "equal\n");
}

}  // namespace
}  // namespace mica
