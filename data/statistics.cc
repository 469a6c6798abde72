#include "data/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/error.h"

namespace mica::data {
namespace {

Statistics of_bytes(std::span<const uint8_t> values, size_t channels) {
  std::vector<std::array<int64_t, 256>> counts(channels);
  for (size_t i = 0; i < values.size(); i += channels) {
    for (size_t c = 0; c < channels; ++c) ++counts[c][values[i + c]];
  }
  const auto total = static_cast<double>(values.size() / channels);
  Statistics result;
  for (const auto& count : counts) {
    double sum = 0, squares = 0;
    const auto is_there = [](int64_t n) { return n > 0; };
    const auto least = std::find_if(count.begin(), count.end(), is_there);
    const auto greatest = std::find_if(count.rbegin(), count.rend(), is_there);
    result.min.push_back(static_cast<double>(least - count.begin()));
    result.max.push_back(static_cast<double>(count.rend() - greatest - 1));
    for (int value = 0; value < 256; ++value) {
      sum += static_cast<double>(count[static_cast<size_t>(value)]) * value;
    }
    const double mean = sum / total;
    for (int value = 0; value < 256; ++value) {
      const double distance = value - mean;
      squares += static_cast<double>(count[static_cast<size_t>(value)]) * distance * distance;
    }
    result.mean.push_back(mean);
    result.std.push_back(std::sqrt(squares / total));
  }
  return result;
}

Statistics of_floats(std::span<const float> values, size_t columns) {
  const auto total = static_cast<double>(values.size() / columns);
  Statistics result;
  result.mean.resize(columns);
  result.std.resize(columns);
  result.min.assign(values.begin(), values.begin() + static_cast<ptrdiff_t>(columns));
  result.max = result.min;
  for (size_t i = 0; i < values.size(); ++i) {
    result.min[i % columns] = std::min<double>(result.min[i % columns], values[i]);
    result.max[i % columns] = std::max<double>(result.max[i % columns], values[i]);
  }
  for (size_t i = 0; i < values.size(); ++i) result.mean[i % columns] += values[i];
  for (double& mean : result.mean) mean /= total;
  for (size_t i = 0; i < values.size(); ++i) {
    const double distance = values[i] - result.mean[i % columns];
    result.std[i % columns] += distance * distance;
  }
  for (double& deviation : result.std) deviation = std::sqrt(deviation / total);
  return result;
}

}  // namespace

Statistics statistics_of(const HostTensor& values) {
  MICA_ASSERT(values.size() > 0);
  const size_t last = values.shape.size() < 2 ? 1 : static_cast<size_t>(values.shape.back());
  if (values.dtype == Dtype::kUint8) return of_bytes(values.as<uint8_t>(), last);
  return of_floats(values.as<float>(), last);
}

void set_statistics(DatasetInfo& info, const Split& train) {
  const Statistics x = statistics_of(train.x);
  info.mean = x.mean;
  info.std = x.std;
  if (info.task != Task::kRegression) return;
  const Statistics y = statistics_of(train.y);
  info.target_mean = y.mean;
  info.target_std = y.std;
}

}  // namespace mica::data
