#include "data/split.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/base/error.h"
#include "data/row_hash.h"
#include "data/sampler.h"

namespace mica::data {
namespace {

constexpr double kDefaultTest = 0.2;

using Rows = std::vector<int64_t>;

double parse_share(std::string_view text, const std::string& whole) {
  double share = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), share);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !(share >= 0) ||
      share > 1) {
    fail("split '{}': '{}' is no share between 0 and 1", whole, text);
  }
  return share;
}

/// A random number for every row, drawn from its content.
std::vector<uint64_t> row_keys(const Split& split, uint64_t seed) {
  std::vector<uint64_t> keys(static_cast<size_t>(split.rows()));
  const size_t x_bytes = split.x.row_bytes(), y_bytes = split.y.row_bytes();
  for (size_t row = 0; row < keys.size(); ++row) {
    const uint64_t start = random_key(seed, 0);
    const uint64_t x = hash_bytes(start, std::span(split.x.bytes).subspan(row * x_bytes, x_bytes));
    keys[row] = hash_bytes(x, std::span(split.y.bytes).subspan(row * y_bytes, y_bytes));
  }
  return keys;
}

Rows ordered_by(const std::vector<uint64_t>& keys) {
  Rows order(keys.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  // Rows of equal keys are equal, so that their order does not show.
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return keys[static_cast<size_t>(a)] < keys[static_cast<size_t>(b)];
  });
  return order;
}

/// Marks the share of `order` that is drawn: of every class its share if there are labels, in such
/// a way that the shares of all classes together are the share of the whole, rounded.
std::vector<bool> draw(const Rows& order, double share, const std::optional<HostTensor>& labels) {
  std::map<int32_t, Rows> groups;
  for (const int64_t row : order) {
    groups[labels ? labels->as<int32_t>()[static_cast<size_t>(row)] : 0].push_back(row);
  }
  std::vector<bool> drawn(order.size(), false);
  size_t before = 0;
  const auto rounded = [share](size_t count) {
    return static_cast<size_t>(std::llround(share * static_cast<double>(count)));
  };
  for (const auto& [label, rows] : groups) {
    const size_t count = rounded(before + rows.size()) - rounded(before);
    for (size_t i = 0; i < count; ++i) drawn[static_cast<size_t>(rows[i])] = true;
    before += rows.size();
  }
  return drawn;
}

void append(HostTensor& to, const HostTensor& from) {
  to.bytes.insert(to.bytes.end(), from.bytes.begin(), from.bytes.end());
  to.shape[0] += from.shape[0];
}

/// A number in [0, 1) for every row, drawn from what tells it from others and from nothing else.
std::vector<double> row_draws(const Split& split, std::vector<uint64_t> hashes, uint64_t seed) {
  // The labels' numbers may change when rows are added, the examples do not.
  if (hashes.empty()) hashes = row_hashes(split.x, 0);
  const uint64_t key = random_key(seed, 1);
  std::vector<double> draws;
  for (const uint64_t hash : hashes) {
    draws.push_back(static_cast<double>(random_word(key ^ hash, 0) >> 11) * 0x1p-53);
  }
  return draws;
}

/// All rows in one split. Their order does not matter here.
Split merge(std::map<std::string, Split> splits) {
  Split all = std::move(splits.begin()->second);
  for (auto next = std::next(splits.begin()); next != splits.end(); ++next) {
    append(all, next->second);
  }
  return all;
}

/// Takes `share` of the rows out of `from`. `order` lists the rows of `from` by their keys; both
/// parts keep the order of `arrangement`.
std::pair<Split, Split> cut(const Split& from, const Rows& order, const Rows& arrangement,
                            double share, bool stratify) {
  const std::optional<HostTensor> labels = stratify ? std::optional(from.y) : std::nullopt;
  const std::vector<bool> drawn = draw(order, share, labels);
  Rows taken, left;
  for (const int64_t row : arrangement) {
    (drawn[static_cast<size_t>(row)] ? taken : left).push_back(row);
  }
  return {gather(from, taken), gather(from, left)};
}

/// Splits all rows anew.
void split_all(SourceData& data, double test, double val, bool stratify, uint64_t seed) {
  const Split all = merge(std::move(data.splits));
  data.splits.clear();
  const Rows order = ordered_by(row_keys(all, seed));
  auto [test_rows, rest] = cut(all, order, order, test, stratify);
  data.splits["test"] = std::move(test_rows);
  const double share_of_rest = test < 1 ? std::min(val / (1 - test), 1.0) : 0;
  Rows in_order(static_cast<size_t>(rest.rows()));
  std::iota(in_order.begin(), in_order.end(), int64_t{0});  // they are sorted by key already
  auto [val_rows, train] = cut(rest, in_order, in_order, share_of_rest, stratify);
  data.splits["val"] = std::move(val_rows);
  data.splits["train"] = std::move(train);
}

/// Splits all rows anew, each by itself. A greater share of val takes rows of train only.
void split_by_hash(SourceData& data, double test, double val, uint64_t seed) {
  const Split all = merge(std::move(data.splits));
  data.splits.clear();
  const std::vector<double> draws = row_draws(all, std::move(data.row_hashes), seed);
  Rows parts[3];
  for (const int64_t row : ordered_by(row_keys(all, seed))) {
    const double draw = draws[static_cast<size_t>(row)];
    parts[draw < test ? 0 : draw < test + val ? 1 : 2].push_back(row);
  }
  data.splits["test"] = gather(all, parts[0]);
  data.splits["val"] = gather(all, parts[1]);
  data.splits["train"] = gather(all, parts[2]);
}

/// Cuts val out of train, whose rows stay in their order.
void cut_val(SourceData& data, const SplitRequest& request, bool stratify, uint64_t seed) {
  if (data.splits.contains("val") || !data.splits.contains("train")) {
    fail("split: cannot cut val out of train: the source {}",
         data.splits.contains("val") ? "has a val split already" : "has no training split");
  }
  const Split train = std::move(data.splits["train"]);
  Rows in_order(static_cast<size_t>(train.rows()));
  std::iota(in_order.begin(), in_order.end(), int64_t{0});
  if (request.method == SplitRequest::Method::kHash) {
    const std::vector<double> draws = row_draws(train, {}, seed);
    Rows taken, left;
    for (const int64_t row : in_order) {
      (draws[static_cast<size_t>(row)] < *request.val ? taken : left).push_back(row);
    }
    data.splits["val"] = gather(train, taken);
    data.splits["train"] = gather(train, left);
    return;
  }
  auto [val, rest] =
      cut(train, ordered_by(row_keys(train, seed)), in_order, *request.val, stratify);
  data.splits["val"] = std::move(val);
  data.splits["train"] = std::move(rest);
}

constexpr const char* kWanted =
    "wanted auto, shares like test=0.2,val=0.1 (after random, stratified or hash if need be), or "
    "column=NAME";

SplitRequest::Method method_named(std::string_view name) {
  using Method = SplitRequest::Method;
  if (name == "random") return Method::kRandom;
  if (name == "stratified") return Method::kStratified;
  return name == "hash" ? Method::kHash : Method::kDefault;
}

}  // namespace

HostTensor gather(const HostTensor& tensor, const std::vector<int64_t>& rows) {
  Shape shape = tensor.shape;
  shape[0] = static_cast<int64_t>(rows.size());
  HostTensor result(tensor.dtype, shape);
  const size_t bytes = tensor.row_bytes();
  for (size_t i = 0; i < rows.size() && bytes > 0; ++i) {
    std::memcpy(result.bytes.data() + i * bytes,
                tensor.bytes.data() + static_cast<size_t>(rows[i]) * bytes, bytes);
  }
  return result;
}

Split gather(const Split& split, const std::vector<int64_t>& rows) {
  return {gather(split.x, rows), gather(split.y, rows)};
}

void append(Split& to, const Split& from) {
  append(to.x, from.x);
  append(to.y, from.y);
}

std::string split_called(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (word == "train" || word == "training") return "train";
  if (word == "val" || word == "valid" || word == "validation" || word == "dev") return "val";
  return word == "test" || word == "testing" ? "test" : "";
}

SplitRequest parse_split(const std::string& text) {
  constexpr std::string_view kColumn = "column=";
  SplitRequest request;
  if (text == "auto") return request;
  if (text.starts_with(kColumn) && text.size() > kColumn.size()) {
    request.method = SplitRequest::Method::kColumn;
    request.column = text.substr(kColumn.size());
    return request;
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    const bool first = item.data() == text.data();
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    if (first) request.method = method_named(item);
    if (first && request.method != SplitRequest::Method::kDefault) continue;
    const size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    std::optional<double>* share = name == "test"  ? &request.test
                                   : name == "val" ? &request.val
                                                   : nullptr;
    if (share == nullptr || equals == std::string_view::npos || share->has_value()) {
      fail("split '{}': {}", text, kWanted);
    }
    *share = parse_share(item.substr(equals + 1), text);
  }
  if (!request.test && !request.val && request.method == SplitRequest::Method::kDefault) {
    fail("split '{}': {}", text, kWanted);
  }
  if (request.test.value_or(0) + request.val.value_or(0) > 1) {
    fail("split '{}': the shares add up to more than 1", text);
  }
  return request;
}

std::string apply_split(SourceData& data, const SplitRequest& request, bool stratify,
                        uint64_t seed) {
  using Method = SplitRequest::Method;
  if (request.method == Method::kColumn) return fmt::format("by column {}", request.column);
  const bool classes = data.task == Task::kClassification;
  if (request.method == Method::kStratified && !classes) {
    fail("split: stratified needs classes, and the targets are numbers");
  }
  if (request.method != Method::kDefault) stratify = request.method == Method::kStratified;
  stratify = stratify && classes;
  const char* how = request.method == Method::kHash ? "by hash of the row"
                    : stratify                      ? "random by class"
                                                    : "random";
  // One part alone, whatever its name, is not split: equal rows fare equally in every format.
  const bool own = data.splits.size() > 1;
  if (!own && !data.splits.contains(kUnsplit) && !request.test) {
    data.notes.push_back(fmt::format("the source has a {} split only, which was split anew",
                                     data.splits.begin()->first));
  }
  // A method without shares asks for the usual ones.
  const bool anew = request.test || (request.method != Method::kDefault && !request.val);
  if (!own || anew) {
    const double test = request.test.value_or(request.val ? std::min(kDefaultTest, 1 - *request.val)
                                                          : kDefaultTest);
    const double val = request.val.value_or(0);
    if (request.method == Method::kHash)
      split_by_hash(data, test, val, seed);
    else
      split_all(data, test, val, stratify, seed);
    return fmt::format("{}: test={}, val={}", how, test, val);
  }
  if (!request.val) return "as the source has it";
  cut_val(data, request, stratify, seed);
  return fmt::format("as the source has it, {} val={} of train", how, *request.val);
}

}  // namespace mica::data
