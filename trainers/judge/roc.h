// Area under the ROC curve: how often an example of a class gets a higher probability of it than an
// example of another class, ties counting half.
//
//   std::vector<double> influence(n);
//   RocArea area = roc_area(probabilities_of_class, is_of_class, influence);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trainers/judge/bootstrap.h"

namespace mica::trainers {

struct RocArea {
  double value = 0;  // NaN without examples of both kinds
  Interval interval;
};

/// `influence`, of the length of `scores`, gains by how much each example moves the area, times
/// `share`: the sum of their squares is the variance (DeLong, DeLong & Clarke-Pearson 1988, found
/// from midranks as in Sun & Xu 2014). Areas are averaged by adding influences.
RocArea roc_area(std::span<const float> scores, std::span<const uint8_t> positive,
                 std::span<double> influence, double share);

/// The interval of a value between 0 and 1 whose variance is the sum of squared influences.
Interval influence_interval(double value, std::span<const double> influence);

}  // namespace mica::trainers
