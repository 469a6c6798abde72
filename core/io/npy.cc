#include "core/io/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "core/io/file.h"

namespace mica {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;  // of the data, as NumPy writes it

struct TypeCode {
  Dtype dtype;
  std::string_view code;  // without the byte order
};
constexpr TypeCode kTypeCodes[] = {
    {Dtype::kBool, "b1"},    {Dtype::kUint8, "u1"},     {Dtype::kUint16, "u2"},
    {Dtype::kUint32, "u4"},  {Dtype::kUint64, "u8"},    {Dtype::kInt8, "i1"},
    {Dtype::kInt16, "i2"},   {Dtype::kInt32, "i4"},     {Dtype::kInt64, "i8"},
    {Dtype::kFloat16, "f2"}, {Dtype::kBfloat16, "V2"},  {Dtype::kFloat32, "f4"},
    {Dtype::kFloat64, "f8"}, {Dtype::kComplex64, "c8"},
};

struct Header {
  Dtype dtype = Dtype::kFloat32;
  bool big_endian = false;
  bool fortran = false;
  Shape shape;
  size_t data_at = 0;
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

void parse_type(std::string_view header, const std::string& where, Header& result) {
  std::string_view text = value_of(header, "descr", where);
  const std::string_view shown = text.substr(0, text.find(", '"));
  const bool quoted = !text.empty() && text[0] == '\'';
  const size_t end = quoted ? text.find('\'', 1) : std::string_view::npos;
  if (end != std::string_view::npos && end > 2) {
    const char order = text[1];
    const std::string_view code = text.substr(2, end - 2);
    for (const TypeCode& known : kTypeCodes) {
      if (known.code != code) continue;
      result.dtype = known.dtype;
      result.big_endian = order == '>';
      return;
    }
  }
  fail(ErrorKind::kData, "{}: element type {} is not supported (wanted numbers or bool)", where,
       shown);
}

void parse_shape(std::string_view header, const std::string& where, Header& result) {
  std::string_view text = value_of(header, "shape", where);
  const size_t close = text.find(')');
  if (text.empty() || text[0] != '(' || close == std::string_view::npos) {
    fail(ErrorKind::kData, "{}: the .npy header has no shape", where);
  }
  text = text.substr(1, close - 1);
  int64_t elements = 1;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,L"), text.size()));
    if (text.empty()) return;
    int64_t length = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
    if (parsed.ec != std::errc() || length < 0 ||
        __builtin_mul_overflow(elements, std::max<int64_t>(length, 1), &elements) ||
        elements > INT64_MAX / 16) {
      fail(ErrorKind::kData, "{}: the .npy header has a damaged shape", where);
    }
    result.shape.push_back(length);
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  }
}

Header parse_header(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(kMagic)) fail(ErrorKind::kData, "{}: is no .npy file", where);
  if (text.size() < 12) fail(ErrorKind::kData, "{}: cut off in the .npy header", where);
  const int version = text[6];
  if (version < 1 || version > 3) {
    fail(ErrorKind::kData, "{}: .npy format version {}, wanted 1 to 3", where, version);
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  size_t length = 0;
  std::memcpy(&length, text.data() + 8, length_bytes);
  Header header;
  header.data_at = 8 + length_bytes + length;
  if (header.data_at > text.size()) {
    fail(ErrorKind::kData, "{}: cut off in the .npy header", where);
  }
  const std::string_view dictionary = text.substr(8 + length_bytes, length);
  parse_type(dictionary, where, header);
  parse_shape(dictionary, where, header);
  header.fortran = value_of(dictionary, "fortran_order", where).starts_with("True");
  return header;
}

void swap_bytes(HostTensor& tensor) {
  const size_t unit = tensor.dtype == Dtype::kComplex64 ? 4 : size_of(tensor.dtype);
  for (size_t at = 0; at < tensor.bytes.size(); at += unit) {
    std::reverse(tensor.bytes.begin() + static_cast<ptrdiff_t>(at),
                 tensor.bytes.begin() + static_cast<ptrdiff_t>(at + unit));
  }
}

/// From the order in which the first index runs fastest to that in which the last does.
HostTensor to_c_order(const HostTensor& fortran) {
  HostTensor result(fortran.dtype, fortran.shape);
  const size_t unit = size_of(fortran.dtype);
  const size_t rank = fortran.shape.size();
  Strides strides = row_major(fortran.shape);
  std::vector<int64_t> index(rank, 0);
  int64_t to = 0;
  for (int64_t from = 0; from < fortran.size(); ++from) {
    std::memcpy(result.bytes.data() + static_cast<size_t>(to) * unit,
                fortran.bytes.data() + static_cast<size_t>(from) * unit, unit);
    for (size_t axis = 0; axis < rank; ++axis) {
      to += strides[axis];
      if (++index[axis] < fortran.shape[axis]) break;
      to -= strides[axis] * fortran.shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace

HostTensor parse_npy(std::span<const std::byte> bytes, const std::string& where) {
  const Header header = parse_header(bytes, where);
  const std::span<const std::byte> data = bytes.subspan(header.data_at);
  const size_t wanted = static_cast<size_t>(size_of(header.shape)) * size_of(header.dtype);
  if (data.size() != wanted) {
    fail(ErrorKind::kData, "{}: {} bytes of values, wanted {} for {} of shape {}", where,
         data.size(), wanted, header.dtype, to_string(header.shape));
  }
  HostTensor tensor;
  tensor.dtype = header.dtype;
  tensor.shape = header.shape;
  tensor.bytes.assign(data.begin(), data.end());
  if (header.big_endian) swap_bytes(tensor);
  if (header.fortran && header.shape.size() > 1) return to_c_order(tensor);
  return tensor;
}

std::vector<std::byte> format_npy(const HostTensor& tensor) {
  std::string_view code;
  for (const TypeCode& known : kTypeCodes) {
    if (known.dtype == tensor.dtype) code = known.code;
  }
  const char order = size_of(tensor.dtype) == 1 ? '|' : '<';
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}",
                                   order, code, to_string(tensor.shape));
  const size_t before = kMagic.size() + 4;
  const size_t total = (before + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.append(total - before - header.size() - 1, ' ').push_back('\n');

  std::string start(kMagic);
  start += '\x01';
  start += '\x00';
  start += static_cast<char>(header.size() & 0xff);
  start += static_cast<char>(header.size() >> 8);
  start += header;
  std::vector<std::byte> bytes(start.size() + tensor.bytes.size());
  std::memcpy(bytes.data(), start.data(), start.size());
  std::copy(tensor.bytes.begin(), tensor.bytes.end(),
            bytes.begin() + static_cast<ptrdiff_t>(start.size()));
  return bytes;
}

HostTensor read_npy(const std::string& path) { return parse_npy(read_file(path), path); }

void write_npy(const std::string& path, const HostTensor& tensor) {
  write_file(path, format_npy(tensor));
}

}  // namespace mica
