// Sorting by unsigned keys in the order of the values: one code for all types. Short rows are
// sorted by comparison, long ones by radix, both stable.

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "core/cpu/install.h"
#include "core/ops/axis.h"
#include "core/ops/sort_op.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

template <class T>
using Key = std::conditional_t<sizeof(T) == 8, uint64_t,
                               std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;

template <class K>
constexpr K kSign = K(1) << (8 * sizeof(K) - 1);

// Unsigned numbers that compare as the values do, with -0 equal to 0 and NaN above all.
template <class T>
Key<T> key_of(T value) {
  if constexpr (std::is_unsigned_v<T>) {
    return value;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<Key<T>>(static_cast<Key<T>>(value) ^ kSign<Key<T>>);
  } else {
    using Bits = Key<T>;
    if (value != value) return static_cast<Bits>(~Bits(0));
    const Bits bits = value == T(0) ? Bits(0) : std::bit_cast<Bits>(value);
    return static_cast<Bits>(bits & kSign<Bits> ? ~bits : bits | kSign<Bits>);
  }
}

template <class K>
struct Entry {
  K key;
  int32_t position;
};

template <class K>
void radix_sort(std::vector<Entry<K>>& entries, std::vector<Entry<K>>& other) {
  other.resize(entries.size());
  for (size_t shift = 0; shift < 8 * sizeof(K); shift += 8) {
    std::array<size_t, 257> starts = {};
    const auto digit = [&](const Entry<K>& e) { return static_cast<size_t>(e.key >> shift) & 255; };
    for (const Entry<K>& e : entries) ++starts[digit(e) + 1];
    if (starts[digit(entries[0]) + 1] == entries.size()) continue;  // all alike in this digit
    for (size_t d = 1; d < starts.size(); ++d) starts[d] += starts[d - 1];
    for (const Entry<K>& e : entries) other[starts[digit(e)]++] = e;
    entries.swap(other);
  }
}

template <class K>
void sort_entries(std::vector<Entry<K>>& entries, std::vector<Entry<K>>& other) {
  constexpr size_t kRadixFrom = 64;
  if (entries.size() >= kRadixFrom) return radix_sort(entries, other);
  std::sort(entries.begin(), entries.end(), [](const Entry<K>& a, const Entry<K>& b) {
    return a.key != b.key ? a.key < b.key : a.position < b.position;
  });
}

// The k largest to the front, largest first.
template <class K>
void select_largest(std::vector<Entry<K>>& entries, int64_t k) {
  const auto before = [](const Entry<K>& a, const Entry<K>& b) {
    return a.key != b.key ? a.key > b.key : a.position < b.position;
  };
  const auto end = entries.begin() + k;
  if (k < static_cast<int64_t>(entries.size())) {
    std::nth_element(entries.begin(), end, entries.end(), before);
  }
  std::sort(entries.begin(), end, before);
}

// Calls order(entries, scratch) on each row's entries and writes the first `kept` positions.
template <class T, class Order>
void order_rows(const Operand& x, const Operand& out, Order order) {
  const int64_t length = x.shape.back();
  const int64_t kept = out.shape.back();
  if (kept == 0) return;
  const int64_t rows = x.size() / length;
  parallel_for(rows, 4096 / length, [&](int64_t begin, int64_t end) {
    std::vector<Entry<Key<T>>> entries(static_cast<size_t>(length));
    std::vector<Entry<Key<T>>> scratch;
    for (int64_t row = begin; row < end; ++row) {
      const T* values = x.as<T>() + row * length;
      for (int64_t i = 0; i < length; ++i) {
        entries[i] = {key_of(values[i]), static_cast<int32_t>(i)};
      }
      order(entries, scratch);
      int32_t* positions = out.as<int32_t>() + row * kept;
      for (int64_t i = 0; i < kept; ++i) positions[i] = entries[i].position;
    }
  });
}

void run_argsort(const Argsort&, Inputs in, Outputs out) {
  dispatch(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (!is_complex(dtype_of<T>)) {
      order_rows<T>(in[0], out[0],
                    [](auto& entries, auto& scratch) { sort_entries(entries, scratch); });
    }
  });
}

void run_topk(const ArgTopK& op, Inputs in, Outputs out) {
  dispatch(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (!is_complex(dtype_of<T>)) {
      order_rows<T>(in[0], out[0], [&](auto& entries, auto&) { select_largest(entries, op.k); });
    }
  });
}

void run_searchsorted(const SearchSorted& op, Inputs in, Outputs out) {
  const int64_t length = in[0].shape.back(), count = in[1].shape.back();
  dispatch(in[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (!is_complex(dtype_of<T>)) {
      parallel_for(out[0].size(), 1024, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const T* row = in[0].as<T>() + i / count * length;
          const auto key = key_of(in[1].as<T>()[i]);
          const T* place = std::partition_point(row, row + length, [&](T x) {
            return op.right ? key_of(x) <= key : key_of(x) < key;
          });
          out[0].as<int32_t>()[i] = static_cast<int32_t>(place - row);
        }
      });
    }
  });
}

}  // namespace

void install_sort(KernelTable& table) {
  table.add<Argsort>(run_argsort, InputLayout::kContiguous);
  table.add<ArgTopK>(run_topk, InputLayout::kContiguous);
  table.add<SearchSorted>(run_searchsorted, InputLayout::kContiguous);
}

}  // namespace mica
