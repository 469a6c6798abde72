// Cross-validation: the training and validation examples of a data set dealt into parts, one of
// which validates while the others train.
//
//   std::shared_ptr<const Dataset> second = fold(*dataset, {2, 5}, /*seed=*/0);
//   second->rows("val");          // a fifth of what dataset has in train and val
//
// Which part an example belongs to follows from (seed, its position) and, so that the classes have
// the same shares in all parts, from its label. The test split stays as it is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "data/dataset.h"

namespace mica::data {

struct Fold {
  int64_t index = 1;  // from 1
  int64_t count = 5;
};

/// "2/5". Throws Error(kUsage) for anything but 1 <= index <= count, count from 2 to 1000.
Fold parse_fold(const std::string& text);

/// The data set with that part as `val`, held in memory; its statistics are those of its own
/// training split. Throws Error(kData) if there are fewer examples than parts.
std::shared_ptr<const Dataset> fold(const Dataset& dataset, const Fold& which, uint64_t seed);

}  // namespace mica::data
