// A vector with room for N elements inside itself, for shapes, strides and input lists.
//
//   SmallVector<int64_t, 6> shape = {2, 3};
//   shape.push_back(4);
//
// Same interface as the part of std::vector that is used here. Elements move when it grows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <utility>

namespace mica {

template <class T, size_t N>
class SmallVector {
 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;
  using reference = T&;
  using const_reference = const T&;
  using size_type = size_t;
  using difference_type = ptrdiff_t;

  SmallVector() = default;
  explicit SmallVector(size_t count, const T& value = T()) { resize(count, value); }
  SmallVector(std::initializer_list<T> items) { append(items.begin(), items.end()); }
  template <std::input_iterator It>
  SmallVector(It first, It last) {
    append(first, last);
  }
  SmallVector(const SmallVector& other) { append(other.begin(), other.end()); }
  SmallVector(SmallVector&& other) noexcept { take(std::move(other)); }
  SmallVector& operator=(const SmallVector& other) {
    if (this == &other) return *this;
    clear();
    append(other.begin(), other.end());
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this == &other) return *this;
    release();
    take(std::move(other));
    return *this;
  }
  ~SmallVector() { release(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  auto rbegin() const { return std::make_reverse_iterator(end()); }
  auto rend() const { return std::make_reverse_iterator(begin()); }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& front() { return data_[0]; }
  const T& front() const { return data_[0]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }
  operator std::span<const T>() const { return {data_, size_}; }

  void push_back(T value) {
    if (size_ == capacity_) grow(size_ + 1);
    std::construct_at(data_ + size_, std::move(value));
    ++size_;
  }
  void pop_back() { std::destroy_at(data_ + --size_); }
  void clear() {
    std::destroy(begin(), end());
    size_ = 0;
  }
  void resize(size_t count, const T& value = T()) {
    reserve(count);
    while (size_ > count) pop_back();
    std::uninitialized_fill(data_ + size_, data_ + count, value);
    size_ = count;
  }
  template <std::input_iterator It>
  void append(It first, It last) {
    if constexpr (std::forward_iterator<It>) {
      const auto count = static_cast<size_t>(std::distance(first, last));
      reserve(size_ + count);
      std::uninitialized_copy(first, last, data_ + size_);
      size_ += count;
    } else {
      for (; first != last; ++first) push_back(*first);
    }
  }
  T* insert(const T* where, T value) {
    const size_t at = static_cast<size_t>(where - data_);
    push_back(std::move(value));
    std::rotate(data_ + at, data_ + size_ - 1, data_ + size_);
    return data_ + at;
  }
  T* insert(const T* where, size_t count, const T& value) {
    const size_t at = static_cast<size_t>(where - data_);
    for (size_t i = 0; i < count; ++i) insert(data_ + at, value);
    return data_ + at;
  }
  T* erase(const T* where) {
    const size_t at = static_cast<size_t>(where - data_);
    std::move(data_ + at + 1, data_ + size_, data_ + at);
    pop_back();
    return data_ + at;
  }
  void reserve(size_t count) {
    if (count > capacity_) grow(count);
  }

  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  T* local() { return reinterpret_cast<T*>(inline_); }

  void grow(size_t count) {
    const size_t capacity = std::max(count, 2 * capacity_);
    T* grown = std::allocator<T>().allocate(capacity);
    std::uninitialized_move(begin(), end(), grown);
    const size_t size = size_;
    release();
    data_ = grown;
    size_ = size;
    capacity_ = capacity;
  }
  void release() {
    clear();
    if (data_ != local()) std::allocator<T>().deallocate(data_, capacity_);
    data_ = local();
    capacity_ = N;
  }
  // REQUIRES: this holds nothing.
  void take(SmallVector&& other) {
    if (other.data_ == other.local()) {
      std::uninitialized_move(other.begin(), other.end(), data_);
      size_ = other.size_;
      other.clear();
      return;
    }
    data_ = std::exchange(other.data_, other.local());
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, N);
  }

  alignas(T) std::byte inline_[N * sizeof(T)];
  T* data_ = local();
  size_t size_ = 0;
  size_t capacity_ = N;
};

}  // namespace mica
