#include "data/folds.h"

#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "data/sampler.h"
#include "data/split.h"
#include "data/statistics.h"

namespace mica::data {
namespace {

constexpr uint64_t kFoldStream = 0x666f6c6473;
constexpr int64_t kMaxFolds = 1000;

// The part of each row, from 0: rows in random order, those of one class one after another, are
// dealt out in turn.
std::vector<int64_t> deal(const HostTensor& y, bool labels, int64_t parts, uint64_t seed) {
  std::vector<int64_t> order = permutation(y.rows(), random_key(seed, kFoldStream), 0);
  if (labels) {
    const std::span<const int32_t> label = y.as<int32_t>();
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return label[static_cast<size_t>(a)] < label[static_cast<size_t>(b)];
    });
  }
  std::vector<int64_t> part(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    part[static_cast<size_t>(order[i])] = static_cast<int64_t>(i) % parts;
  }
  return part;
}

}  // namespace

Fold parse_fold(const std::string& text) {
  Fold fold{0, 0};
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, fold.index);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '/') {
    const auto second = std::from_chars(first.ptr + 1, end, fold.count);
    const bool good = second.ec == std::errc() && second.ptr == end && fold.count >= 2 &&
                      fold.count <= kMaxFolds && fold.index >= 1 && fold.index <= fold.count;
    if (good) return fold;
  }
  fail("fold '{}' is no part of at most {}, as 2/5 is the second of five", text, kMaxFolds);
}

std::shared_ptr<const Dataset> fold(const Dataset& dataset, const Fold& which, uint64_t seed) {
  Split all = dataset.split("train");
  if (dataset.has("val")) append(all, dataset.split("val"));
  if (all.rows() < which.count) {
    fail(ErrorKind::kData, "{} examples are too few for {} folds", all.rows(), which.count);
  }
  const bool labels = dataset.info().task == Task::kClassification;
  const std::vector<int64_t> part = deal(all.y, labels, which.count, seed);
  std::vector<int64_t> inside, outside;
  for (size_t row = 0; row < part.size(); ++row) {
    (part[row] == which.index - 1 ? inside : outside).push_back(static_cast<int64_t>(row));
  }
  std::map<std::string, Split> splits;
  splits["train"] = gather(all, outside);
  splits["val"] = gather(all, inside);
  if (dataset.has("test")) splits["test"] = dataset.split("test");
  DatasetInfo info = dataset.info();
  info.split_method += fmt::format("; fold {}/{} by seed {}", which.index, which.count, seed);
  set_statistics(info, splits["train"]);
  return Dataset::from_memory(std::move(info), std::move(splits));
}

}  // namespace mica::data
