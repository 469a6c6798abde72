#include "data/epoch_order.h"

#include <algorithm>
#include <numeric>

#include "data/sampler.h"

namespace mica::data {
namespace {

constexpr int64_t kWholeBytes = int64_t{1} << 30;
constexpr int64_t kWholeRows = int64_t{1} << 24;
constexpr int64_t kBlockBytes = int64_t{1} << 20;
constexpr int64_t kBlockRows = 4096;  // bounds the memory of a window's order where rows are small
constexpr int64_t kWindowBlocks = 256;
constexpr uint64_t kBlockStream = 0x626c6f636b73;
constexpr uint64_t kWindowStream = 0x77696e646f77;

}  // namespace

EpochOrder::EpochOrder(int64_t rows, int64_t row_bytes, bool shuffle, uint64_t seed, int64_t epoch)
    : count_(rows), shuffle_(shuffle), seed_(seed), epoch_(static_cast<uint64_t>(epoch)) {
  row_bytes = std::max<int64_t>(row_bytes, 1);
  block_rows_ = std::clamp<int64_t>(kBlockBytes / row_bytes, 1, kBlockRows);
  const int64_t blocks = (rows + block_rows_ - 1) / block_rows_;
  const bool whole = rows <= kWholeRows && rows <= kWholeBytes / row_bytes;
  window_blocks_ = shuffle && whole ? std::max<int64_t>(blocks, 1) : kWindowBlocks;
  if (shuffle && !whole) {
    blocks_ = permutation(blocks, random_key(seed, kBlockStream), epoch_);
  } else {
    blocks_.resize(static_cast<size_t>(blocks));
    std::iota(blocks_.begin(), blocks_.end(), int64_t{0});
  }
  window_begins_ = {0};
  for (int64_t i = 0; i < blocks; ++i) {
    if (i % window_blocks_ == 0) window_begins_.push_back(window_begins_.back());
    window_begins_.back() += block(i).second;
  }
}

std::pair<int64_t, int64_t> EpochOrder::block(int64_t i) const {
  const int64_t first = blocks_[static_cast<size_t>(i)] * block_rows_;
  return {first, std::min(block_rows_, count_ - first)};
}

int64_t EpochOrder::window_of(int64_t position) const {
  const auto next = std::upper_bound(window_begins_.begin(), window_begins_.end(), position);
  return static_cast<int64_t>(next - window_begins_.begin()) - 1;
}

void EpochOrder::enter(int64_t window) {
  if (window == window_) return;
  window_ = window;
  order_.clear();
  const int64_t last = std::min((window + 1) * window_blocks_, blocks());
  for (int64_t i = window * window_blocks_; i < last; ++i) {
    const auto [first, count] = block(i);
    for (int64_t row = first; row < first + count; ++row) order_.push_back(row);
  }
  if (!shuffle_) return;
  const auto count = static_cast<int64_t>(order_.size());
  // One window holds all: its rows are in file order, and the permutation is the order.
  if (count == count_) {
    order_ = permutation(count, seed_, epoch_);
    return;
  }
  const uint64_t key = random_key(random_key(seed_, kWindowStream), epoch_);
  std::vector<int64_t> places = permutation(count, key, static_cast<uint64_t>(window));
  for (int64_t& place : places) place = order_[static_cast<size_t>(place)];
  order_ = std::move(places);
}

std::vector<int64_t> EpochOrder::rows(int64_t begin, int64_t count) {
  std::vector<int64_t> result;
  result.reserve(static_cast<size_t>(count));
  while (count > 0) {
    const int64_t window = window_of(begin);
    enter(window);
    const int64_t from = begin - window_begins_[static_cast<size_t>(window)];
    const int64_t taken = std::min(count, static_cast<int64_t>(order_.size()) - from);
    result.insert(result.end(), order_.begin() + from, order_.begin() + from + taken);
    begin += taken;
    count -= taken;
  }
  return result;
}

int64_t EpochOrder::first_block_of_window(int64_t position) const {
  return window_of(position) * window_blocks_;
}

int64_t EpochOrder::blocks_wanted(int64_t position) const {
  if (position >= count_) return blocks();
  const int64_t end_of_window = (window_of(position) + 1) * window_blocks_;
  const int64_t used = position / block_rows_;
  return std::min(std::max(end_of_window, used + window_blocks_), blocks());
}

}  // namespace mica::data
