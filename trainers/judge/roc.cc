#include "trainers/judge/roc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace mica::trainers {
namespace {

constexpr double kNormal975 = 1.959963984540054;

// 1 for the lowest; equal ones share the mean of their places.
std::vector<double> midranks(std::span<const float> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
  }
  return ranks;
}

}  // namespace

RocArea roc_area(std::span<const float> scores, std::span<const uint8_t> positive,
                 std::span<double> influence, double share) {
  std::vector<float> kinds[2];
  for (size_t i = 0; i < scores.size(); ++i) kinds[positive[i] != 0].push_back(scores[i]);
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (kinds[0].empty() || kinds[1].empty()) return {kNaN, {kNaN, kNaN}};
  const std::vector<double> all = midranks(scores);
  const std::vector<double> own[2] = {midranks(kinds[0]), midranks(kinds[1])};
  const double others[2] = {static_cast<double>(kinds[1].size()),
                            static_cast<double>(kinds[0].size())};
  // The share of the other kind that each example is on the right side of.
  std::vector<double> placed(scores.size());
  size_t next[2] = {0, 0};
  double area = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const size_t kind = positive[i] != 0;
    const double below = (all[i] - own[kind][next[kind]++]) / others[kind];
    placed[i] = kind == 1 ? below : 1 - below;
    if (kind == 1) area += below;
  }
  area /= others[0];
  std::vector<double> moves(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    moves[i] = (placed[i] - area) / others[positive[i] == 0];
    influence[i] += share * moves[i];
  }
  const bool known = others[0] > 1 && others[1] > 1;
  return {area, known ? influence_interval(area, moves) : Interval{kNaN, kNaN}};
}

Interval influence_interval(double value, std::span<const double> influence) {
  double variance = 0;
  for (const double move : influence) variance += move * move;
  const double half = kNormal975 * std::sqrt(variance);
  return {std::max(value - half, 0.0), std::min(value + half, 1.0)};
}

}  // namespace mica::trainers
