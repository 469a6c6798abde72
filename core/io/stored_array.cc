#include "core/io/stored_array.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "core/graph/node.h"

namespace mica {
namespace {

// Up to a page, copying costs no more than mapping, and scalars become literals of the graph.
constexpr size_t kCopiedAtOnce = 4096;
constexpr size_t kMostElements = static_cast<size_t>(INT64_MAX / 16);

/// Bytes that are one number: those of a complex value are two.
size_t number_bytes(Dtype dtype) { return size_of(dtype) / (is_complex(dtype) ? 2 : 1); }

Strides column_major(const Shape& shape) {
  Strides strides(shape.size());
  int64_t step = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = step;
    step *= std::max<int64_t>(shape[axis], 1);
  }
  return strides;
}

/// From the order in which the first index runs fastest to that in which the last does.
void to_row_major(const Spec& spec, const std::byte* from, std::byte* out) {
  const size_t item = size_of(spec.dtype);
  const Strides strides = row_major(spec.shape);
  std::vector<int64_t> index(spec.shape.size(), 0);
  const int64_t count = size_of(spec.shape);
  int64_t to = 0;
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(out + static_cast<size_t>(to) * item, from + static_cast<size_t>(i) * item, item);
    for (size_t axis = 0; axis < index.size(); ++axis) {
      to += strides[axis];
      if (++index[axis] < spec.shape[axis]) break;
      to -= strides[axis] * spec.shape[axis];
      index[axis] = 0;
    }
  }
}

/// Address space that takes memory only where it is written.
Buffer reserve(size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    fail(ErrorKind::kRuntime, "[memory] no address space for {} bytes of a file's values: {}",
         bytes, std::strerror(errno));
  }
  return Buffer::wrap(static_cast<std::byte*>(data), bytes, [=] { ::munmap(data, bytes); });
}

}  // namespace

std::optional<size_t> byte_count(const Shape& shape, Dtype dtype) {
  size_t elements = 1;
  bool empty = false;
  for (const int64_t length : shape) {
    if (length == 0) empty = true;
    const auto factor = static_cast<size_t>(std::max<int64_t>(length, 1));
    if (length < 0 || __builtin_mul_overflow(elements, factor, &elements)) return std::nullopt;
    if (elements > kMostElements) return std::nullopt;
  }
  return empty ? 0 : elements * size_of(dtype);
}

void decode(const StoredTensor& stored, std::span<const std::byte> from, std::byte* out) {
  const size_t bytes = from.size();
  if (bytes == 0) return;
  if (stored.fortran && stored.spec.shape.size() > 1)
    to_row_major(stored.spec, from.data(), out);
  else
    std::memcpy(out, from.data(), bytes);
  const size_t unit = number_bytes(stored.spec.dtype);
  if (stored.big_endian && unit > 1) {
    for (std::byte* at = out; at < out + bytes; at += unit) std::reverse(at, at + unit);
  }
  if (is_bool(stored.spec.dtype)) {
    std::transform(out, out + bytes, out, [](std::byte b) { return std::byte{b != std::byte{0}}; });
  }
}

Array defer_array(const Spec& spec, std::function<void(std::byte* out)> fill) {
  const size_t bytes = byte_count(spec.shape, spec.dtype).value();
  if (bytes == 0) return Array::from_bytes(nullptr, spec.shape, spec.dtype);
  Buffer buffer = reserve(bytes);
  std::byte* out = buffer.data();
  // The work holds the buffer, as the array may go while another thread waits for it.
  auto event = std::make_shared<Event>([fill = std::move(fill), buffer] { fill(buffer.data()); });
  Array array = make_leaf(spec, {std::move(buffer), out, row_major(spec.shape)});
  array.node()->pending = std::move(event);
  return array;
}

Array map_array(const StoredTensor& stored, const std::shared_ptr<const MappedFile>& file,
                std::span<const std::byte> bytes) {
  const Spec& spec = stored.spec;
  if (bytes.size() <= kCopiedAtOnce) {
    std::vector<std::byte> values(bytes.size());
    decode(stored, bytes, values.data());
    check_mapped_files();
    return Array::from_bytes(values.data(), spec.shape, spec.dtype);
  }
  const size_t unit = number_bytes(spec.dtype);
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % unit == 0;
  // A file's bool may be any byte, a C++ bool may not.
  if (!aligned || (stored.big_endian && unit > 1) || is_bool(spec.dtype)) {
    return defer_array(spec, [stored, file, bytes](std::byte* out) {
      decode(stored, bytes, out);
      check_mapped_files();
    });
  }
  // Nobody writes to it: a buffer with an owner of its own is never taken for a result.
  auto* data = const_cast<std::byte*>(bytes.data());
  const Strides strides = stored.fortran ? column_major(spec.shape) : row_major(spec.shape);
  Buffer buffer = Buffer::wrap(data, bytes.size(), [file] {});
  return make_leaf(spec, {std::move(buffer), data, strides});
}

}  // namespace mica
