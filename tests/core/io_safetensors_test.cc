#include "core/io/safetensors.h"

#include <gtest/gtest.h>

#include "core/io/file.h"
#include "tests/core/io_testing.h"

namespace mica {
namespace {

void write_safetensors(const std::string& path, const std::string& header, size_t value_bytes) {
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  file.write(std::string(value_bytes, '\0'));
  file.commit();
}

TEST(Safetensors, KeepsMetadataAndSortsByElementSize) {
  TemporaryFolder folder;
  const std::map<std::string, Array> arrays = {{"a", array<uint8_t>({1, 2, 3})},
                                               {"b", array<double>({0.5, -1.0})},
                                               {"c", array({1.0f, 2.0f})}};
  save_safetensors(folder / "a.safetensors", arrays, {{"x", "y"}, {"format", "mica"}});
  const std::vector<std::byte> bytes = read_file(folder / "a.safetensors");
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_LT(text.find("\"b\""), text.find("\"c\""));
  EXPECT_LT(text.find("\"c\""), text.find("\"a\""));
  const SafetensorsFile file = load_safetensors(folder / "a.safetensors");
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"x", "y"}, {"format", "mica"}}));
  for (const auto& [name, array] : arrays) {
    EXPECT_EQ(file.arrays.at(name).to_bytes(), array.to_bytes()) << name;
    EXPECT_EQ(file.arrays.at(name).dtype(), array.dtype()) << name;
  }
  save_safetensors(folder / "b.safetensors", file.arrays, file.metadata);
  EXPECT_EQ(read_file(folder / "b.safetensors"), bytes);
}

TEST(Safetensors, AFileWithoutArraysIsOne) {
  TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {}, {{"x", "y"}});
  EXPECT_EQ(load_safetensors(folder / "a.safetensors").arrays.size(), 0u);
  EXPECT_EQ(load_safetensors(folder / "a.safetensors").metadata.at("x"), "y");
}

TEST(Safetensors, RefusesWhatCannotBeRead) {
  TemporaryFolder folder;
  expect_error(ErrorKind::kUsage, {"__metadata__"}, [&] {
    save_safetensors(folder / "a.safetensors", {{"__metadata__", array({1.0f})}});
  });
  expect_error(ErrorKind::kUsage, {"UTF-8"}, [&] {
    save_safetensors(folder / "a.safetensors", {{"\xff", array({1.0f})}});
  });
  EXPECT_TRUE(folder.list().empty());
}

struct BadHeader {
  const char* header;
  size_t value_bytes;
  std::vector<std::string> pieces;
};

TEST(Safetensors, SaysWhatIsWrongInAHeader) {
  TemporaryFolder folder;
  const BadHeader cases[] = {
      {"", 0, {"no .safetensors file"}},
      {"[1]", 0, {"does not begin with {"}},
      {"{\"a\"", 0, {"not JSON at byte"}},
      {"{\"a\xff\":1}", 0, {"not JSON at byte"}},
      {"{} x", 0, {"not JSON at byte"}},
      {R"({"a":5})", 0, {"a number where it does not belong", "\"a\""}},
      {R"({"a":[1]})", 0, {"a list where it does not belong"}},
      {R"({"a":{"b":{}}})", 0, {"\"a\" has a key \"b\""}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"F32"}})",
       4,
       {"\"a\" has two keys \"dtype\""}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
           "a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8,
       {"\"a\" is there twice"}},
      {R"({"__metadata__":{"a":"b","a":"c"}})", 0, {"\"a\" is twice in the metadata"}},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, {"__metadata__", "twice"}},
      {R"({"__metadata__":{"a":1}})", 0, {"a number where it does not belong"}},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, {"\"a\" has no data_offsets"}},
      {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, {"\"a\" has no dtype"}},
      {R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})",
       1,
       {"\"a\" has the dtype \"F8_E4M3\"", "not supported"}},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, {"negative number -1"}},
      {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, {"1.5", "whole number"}},
      {R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}})",
       4,
       {"99999999999999999999", "whole number"}},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})",
       4,
       {"axis of length 18446744073709551615"}},
      // 2^62 * 4 elements wrap around to none, and their bytes to none.
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})",
       0,
       {"a: 0 bytes", "more than any file has"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, {"1 data_offsets, wanted 2"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, {"more than 2"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, {"[4, 0] in 4 bytes"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4, {"[0, 8] in 4 bytes"}},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
       4,
       {"a: 4 bytes, wanted 8 for float32 of shape (2,)"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
           "b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       4,
       {"overlaps"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
           "b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
       12,
       {"b: begins at byte 8", "hole", "ends at 4"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, {"a: begins at byte 4"}},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, {"1 bytes follow"}},
      {"{}", 1, {"1 bytes follow"}},
  };
  for (const BadHeader& bad : cases) {
    SCOPED_TRACE(bad.header);
    write_safetensors(folder / "bad.safetensors", bad.header, bad.value_bytes);
    std::vector<std::string> pieces = bad.pieces;
    pieces.push_back("bad.safetensors");
    expect_error(ErrorKind::kData, pieces, [&] { load_safetensors(folder / "bad.safetensors"); });
  }
  // Tensors in another order than their values, and blanks behind the text, are in order.
  write_safetensors(folder / "good.safetensors",
                    R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},
                        "a":{"data_offsets":[0,8],"shape":[],"dtype":"F64"}}   )",
                    12);
  EXPECT_EQ(load_safetensors(folder / "good.safetensors").arrays.at("a").shape(), Shape{});
}

TEST(Safetensors, SaysWhatIsWrongWithTheLength) {
  TemporaryFolder folder;
  write_file(folder / "bad.safetensors", "{}");
  expect_error(ErrorKind::kData, {"bad.safetensors", "2 bytes, wanted at least 8"},
               [&] { load_safetensors(folder / "bad.safetensors"); });
  write_file(folder / "bad.safetensors", std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}"));
  expect_error(ErrorKind::kData, {"18446744073709551615", "at most 100000000"},
               [&] { load_safetensors(folder / "bad.safetensors"); });
  write_file(folder / "bad.safetensors", std::string("\x09\0\0\0\0\0\0\0{}", 10));
  expect_error(ErrorKind::kData, {"cut off", "10 bytes, wanted 17"},
               [&] { load_safetensors(folder / "bad.safetensors"); });
  // A deep nesting must not use up the stack.
  write_safetensors(folder / "bad.safetensors", "{\"a\":" + std::string(1'000'000, '['), 0);
  expect_error(ErrorKind::kData, {"a list where it does not belong"},
               [&] { load_safetensors(folder / "bad.safetensors"); });
}

}  // namespace
}  // namespace mica
