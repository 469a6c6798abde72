#include "trainers/judge/judge.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "trainers/diagnostics.h"

namespace mica::trainers {

const Figure& Judgement::find(const std::string& name) const {
  std::vector<std::string> names;
  for (const Figure& figure : figures) {
    if (figure.name == name) return figure;
    names.push_back(figure.name);
  }
  fail("no metric '{}' for this data{}", name, suggestion(name, names));
}

Judgement judge(const Outputs& outputs) {
  if (outputs.classes) return judge_classes(outputs);
  return outputs.together ? judge_pictures(outputs) : judge_values(outputs);
}

std::vector<int64_t> mistakes(const Outputs& outputs) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < outputs.n; ++row) {
    if (!outputs.is_right(row)) rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) {
    return outputs.confidence(a) > outputs.confidence(b);
  });
  return rows;
}

std::vector<double> row_errors(const Outputs& outputs) {
  const auto width = static_cast<size_t>(outputs.width);
  std::vector<double> errors;
  for (size_t row = 0; row < static_cast<size_t>(outputs.n); ++row) {
    double squares = 0;
    for (size_t i = row * width; i < (row + 1) * width; ++i) {
      squares += std::pow(static_cast<double>(outputs.values[i]) - outputs.targets[i], 2);
    }
    errors.push_back(std::sqrt(squares / static_cast<double>(width)));
  }
  return errors;
}

namespace {

// Of each row, the largest error in any target, in its standard deviations.
std::vector<double> worst_targets(const Outputs& outputs) {
  const auto width = static_cast<size_t>(outputs.width), n = static_cast<size_t>(outputs.n);
  std::vector<double> worst(n);
  for (size_t k = 0; k < width; ++k) {
    double mean = 0, spread = 0;
    for (size_t i = k; i < n * width; i += width) mean += outputs.targets[i];
    mean /= static_cast<double>(n);
    for (size_t i = k; i < n * width; i += width) {
      spread += std::pow(outputs.targets[i] - mean, 2);
    }
    const double deviation = spread > 0 ? std::sqrt(spread / static_cast<double>(n)) : 1;
    for (size_t row = 0; row < n; ++row) {
      const size_t i = row * width + k;
      const double error = static_cast<double>(outputs.values[i]) - outputs.targets[i];
      worst[row] = std::max(worst[row], std::abs(error) / deviation);
    }
  }
  return worst;
}

}  // namespace

std::vector<int64_t> largest_errors(const Outputs& outputs) {
  const std::vector<double> worst = outputs.together ? row_errors(outputs) : worst_targets(outputs);
  std::vector<int64_t> rows(worst.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) {
    return worst[static_cast<size_t>(a)] > worst[static_cast<size_t>(b)];
  });
  return rows;
}

}  // namespace mica::trainers
