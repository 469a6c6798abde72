// Which rows go to the training, validation and test split.
//
//   SplitRequest request = parse_split("test=0.2,val=0.1");
//   std::string method = apply_split(data, request, /*stratify=*/true, /*seed=*/0);
//
// A row's place is drawn from its own content and the seed: the same rows are split the same way,
// and stored in the same order, in whatever order and format they came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "data/source.h"

namespace mica::data {

/// Shares of the rows in [0, 1]; what was not named is empty.
struct SplitRequest {
  std::optional<double> test;
  std::optional<double> val;
};

/// Throws Error(kUsage) for anything but "auto" and lists like "test=0.2,val=0.1".
SplitRequest parse_split(const std::string& text);

/// Brings data.splits to train, val and test; see PrepareOptions::split for the rules. Returns a
/// line that says how it was done.
std::string apply_split(SourceData& data, const SplitRequest& request, bool stratify,
                        uint64_t seed);

}  // namespace mica::data
