#include "core/io/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "core/io/file.h"
#include "core/io/npy_header.h"

namespace mica {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;  // of the data, as NumPy writes it
constexpr size_t kMostAxes = 64;   // NumPy's own bound

struct TypeCode {
  Dtype dtype;
  std::string_view code;  // without the byte order
};
constexpr TypeCode kTypeCodes[] = {
    {Dtype::kBool, "b1"},    {Dtype::kUint8, "u1"},     {Dtype::kUint16, "u2"},
    {Dtype::kUint32, "u4"},  {Dtype::kUint64, "u8"},    {Dtype::kInt8, "i1"},
    {Dtype::kInt16, "i2"},   {Dtype::kInt32, "i4"},     {Dtype::kInt64, "i8"},
    {Dtype::kFloat16, "f2"}, {Dtype::kBfloat16, "V2"},  {Dtype::kFloat32, "f4"},
    {Dtype::kFloat64, "f8"}, {Dtype::kComplex64, "c8"}, {Dtype::kComplex128, "c16"},
};

/// The text after "'key':" in the Python dictionary that is the header, blanks skipped.
std::string_view value_of(std::string_view header, std::string_view key, const std::string& where) {
  const size_t found = header.find(fmt::format("'{}'", key));
  const size_t colon = found == std::string_view::npos ? found : header.find(':', found);
  if (colon == std::string_view::npos) {
    fail(ErrorKind::kData, "{}: the .npy header has no '{}'", where, key);
  }
  header.remove_prefix(colon + 1);
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

void parse_type(std::string_view header, const std::string& where, StoredTensor& result) {
  const std::string_view text = value_of(header, "descr", where);
  const bool quoted = text.starts_with('\'') || text.starts_with('"');
  const size_t end = quoted ? text.find(text[0], 1) : std::string_view::npos;
  if (end != std::string_view::npos && end > 2) {
    const char order = text[1];
    const std::string_view code = text.substr(2, end - 2);
    const bool known_order = order == '<' || order == '>' || order == '|' || order == '=';
    for (const TypeCode& known : kTypeCodes) {
      if (known.code != code || !known_order) continue;
      result.spec.dtype = known.dtype;
      result.big_endian = order == '>';
      return;
    }
  }
  fail(ErrorKind::kData, "{}: element type {} is not supported (wanted numbers or bool)", where,
       text.substr(0, std::min<size_t>(text.find(", '"), 60)));
}

/// "(2, 3)", "(4,)" or "()"; Python 2 wrote "2L".
void parse_shape(std::string_view header, const std::string& where, StoredTensor& result) {
  std::string_view text = value_of(header, "shape", where);
  const size_t close = text.find(')');
  const std::string_view shown = text.substr(0, std::min<size_t>(close, 59) + 1);
  const auto refuse = [&](std::string_view reason) {
    fail(ErrorKind::kData, "{}: the .npy header has the shape \"{}\", which {}", where, shown,
         reason);
  };
  if (text.empty() || text[0] != '(' || close == std::string_view::npos) refuse("is no tuple");
  text = text.substr(1, close - 1);
  const auto skip = [&](std::string_view blanks) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  };
  Shape& shape = result.spec.shape;
  for (skip(" "); !text.empty(); skip(" ")) {
    int64_t length = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
    if (parsed.ec != std::errc() || length < 0) refuse("holds something else than lengths");
    shape.push_back(length);
    if (shape.size() > kMostAxes) refuse("has more axes than NumPy knows");
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
    if (text.starts_with('L')) text.remove_prefix(1);
    skip(" ");
    if (text.empty()) break;
    if (text[0] != ',') refuse("holds something else than lengths");
    text.remove_prefix(1);
  }
  if (!byte_count(shape, result.spec.dtype)) refuse("is larger than any file");
}

}  // namespace

size_t npy_header_size(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) {
    const bool is_start = kMagic.starts_with(text) && !text.empty();
    fail(ErrorKind::kData, "{}: {}", where,
         is_start ? "cut off in the .npy header" : "is no .npy file");
  }
  const int version = text.size() > 6 ? text[6] : 1;
  if (version < 1 || version > 3) {
    fail(ErrorKind::kData, "{}: .npy format version {}, wanted 1 to 3", where, version);
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  if (text.size() < 8 + length_bytes) {
    fail(ErrorKind::kData, "{}: cut off in the .npy header", where);
  }
  size_t length = 0;
  std::memcpy(&length, text.data() + 8, length_bytes);
  return 8 + length_bytes + length;
}

StoredTensor parse_npy_header(std::span<const std::byte> bytes, const std::string& where) {
  const size_t size = npy_header_size(bytes, where);
  if (size > bytes.size()) {
    fail(ErrorKind::kData, "{}: cut off in the .npy header: {} bytes, wanted {}", where,
         bytes.size(), size);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), size);
  const std::string_view dictionary = text.substr(text[6] == 1 ? 10 : 12);
  StoredTensor stored;
  parse_type(dictionary, where, stored);
  parse_shape(dictionary, where, stored);
  const std::string_view order = value_of(dictionary, "fortran_order", where);
  stored.fortran = order.starts_with("True");
  if (!stored.fortran && !order.starts_with("False")) {
    fail(ErrorKind::kData, "{}: the .npy header's fortran_order is neither True nor False", where);
  }
  return stored;
}

void check_npy_size(const StoredTensor& stored, uint64_t bytes, const std::string& where) {
  const size_t wanted = byte_count(stored.spec.shape, stored.spec.dtype).value();
  if (bytes != wanted) {
    fail(ErrorKind::kData, "{}: {} bytes of values, wanted {} for {} of shape {}", where, bytes,
         wanted, stored.spec.dtype, to_string(stored.spec.shape));
  }
}

std::span<const std::byte> npy_values(const StoredTensor& stored, std::span<const std::byte> bytes,
                                      const std::string& where) {
  const std::span<const std::byte> values = bytes.subspan(npy_header_size(bytes, where));
  check_npy_size(stored, values.size(), where);
  return values;
}

HostTensor parse_npy(std::span<const std::byte> bytes, const std::string& where) {
  const StoredTensor stored = parse_npy_header(bytes, where);
  const std::span<const std::byte> values = npy_values(stored, bytes, where);
  HostTensor tensor(stored.spec.dtype, stored.spec.shape);
  decode(stored, values, tensor.bytes.data());
  return tensor;
}

std::string npy_header(const Spec& spec) {
  std::string_view code;
  for (const TypeCode& known : kTypeCodes) {
    if (known.dtype == spec.dtype) code = known.code;
  }
  const char order = size_of(spec.dtype) == 1 ? '|' : '<';
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}",
                                   order, code, to_string(spec.shape));
  const size_t before = kMagic.size() + 4;
  const size_t total = (before + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.append(total - before - header.size() - 1, ' ').push_back('\n');

  std::string start(kMagic);
  start += '\x01';
  start += '\x00';
  start += static_cast<char>(header.size() & 0xff);
  start += static_cast<char>(header.size() >> 8);
  return start + header;
}

std::vector<std::byte> format_npy(const HostTensor& tensor) {
  const std::string header = npy_header({tensor.shape, tensor.dtype});
  std::vector<std::byte> bytes(header.size() + tensor.bytes.size());
  std::memcpy(bytes.data(), header.data(), header.size());
  std::copy(tensor.bytes.begin(), tensor.bytes.end(),
            bytes.begin() + static_cast<ptrdiff_t>(header.size()));
  return bytes;
}

HostTensor read_npy(const std::string& path) { return parse_npy(read_file(path), path); }

void write_npy(const std::string& path, const HostTensor& tensor) {
  AtomicFile file(path);
  file.write(npy_header({tensor.shape, tensor.dtype}));
  file.write(tensor.bytes);
  file.commit();
}

}  // namespace mica
