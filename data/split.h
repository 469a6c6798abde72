// Which rows go to the training, validation and test split.
//
//   SplitRequest request = parse_split("test=0.2,val=0.1");
//   std::string method = apply_split(data, request, /*stratify=*/true, /*seed=*/0);
//
// A row's place is drawn from its own content and the seed: the same rows are split the same way,
// and stored in the same order, in whatever order and format they came. Shares are kept exactly, so
// that further rows may move others to another split; "hash" keeps every row where it is, and the
// shares about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/source.h"

namespace mica::data {

struct SplitRequest {
  /// Shares of the rows in [0, 1]; what was not named is empty.
  std::optional<double> test;
  std::optional<double> val;
  enum class Method { kDefault, kRandom, kStratified, kHash, kColumn };
  Method method = Method::kDefault;
  /// kColumn: the column that names each row's split.
  std::string column{};
};

/// Throws Error(kUsage) for anything but "auto", "column=NAME" and lists like "test=0.2,val=0.1",
/// which "random", "stratified" or "hash" may begin.
SplitRequest parse_split(const std::string& text);

/// Brings data.splits to train, val and test; see PrepareOptions::split for the rules. Returns a
/// line that says how it was done.
std::string apply_split(SourceData& data, const SplitRequest& request, bool stratify,
                        uint64_t seed);

/// "train", "val" or "test" for these and the words that mean the same (training, valid, dev,
/// ...) in any case; else "".
std::string split_called(std::string word);

/// The rows of these numbers, in this order.
HostTensor gather(const HostTensor& tensor, const std::vector<int64_t>& rows);
Split gather(const Split& split, const std::vector<int64_t>& rows);

/// Adds the rows of a split whose examples and targets are of the same shapes.
void append(Split& to, const Split& from);

}  // namespace mica::data
