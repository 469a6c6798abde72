// Samples of the rows of reduce.def and scan.def: a new row is tested by being there, once it has
// a reference below.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "core/base/error.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "tests/core/samples.h"

namespace mica::testing {
namespace {

using Combine = double (*)(double a, double b);

double larger(double a, double b) { return a != a || b != b ? NAN : std::max(a, b); }
double smaller(double a, double b) { return a != a || b != b ? NAN : std::min(a, b); }

struct Fold {
  double identity;
  Combine combine;
};

Fold fold_of(const std::string& name) {
  static const std::map<std::string, Fold> all = {
      {"sum", {0, [](double a, double b) { return a + b; }}},
      {"prod", {1, [](double a, double b) { return a * b; }}},
      {"max", {-INFINITY, larger}},
      {"min", {INFINITY, smaller}},
      {"all", {1, [](double a, double b) { return double(a != 0 && b != 0); }}},
      {"logcumsumexp",
       {-INFINITY, [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); }}},
      {"any", {0, [](double a, double b) { return double(a != 0 || b != 0); }}},
  };
  std::string key = name;
  if (key.starts_with("cum")) key = key.substr(3);
  const auto at = all.find(key);
  if (at == all.end()) fail("row {} has no reference in tests/core/row_samples.cc", name);
  return at->second;
}

Line scanned(const Line& line, const Fold& fold, const ScanOptions& options) {
  Line in = line;
  if (options.reverse) std::reverse(in.begin(), in.end());
  Line out;
  double total = fold.identity;
  for (double v : in) {
    const double next = fold.combine(total, v);
    out.push_back(options.inclusive ? next : total);
    total = next;
  }
  if (options.reverse) std::reverse(out.begin(), out.end());
  return out;
}

const std::vector<Dtype> kManyTypes = {float64, float32, float16, bfloat16,
                                       int32,   int8,    uint8,   int64};

using ReduceFunction = Array (*)(Array, const Axes&, bool);
using ScanFunction = Array (*)(const Array&, int, const ScanOptions&);

void add_reduction(std::vector<Sample>& samples, const std::string& name, bool differentiable,
                   ReduceFunction function) {
  const Fold fold = fold_of(name);
  std::mt19937 generator(7);
  for (const Shape& shape : random_shapes(6, 1, 11)) {
    Axes axes;
    for (int i = 0; i < static_cast<int>(shape.size()); ++i) {
      if (generator() % 2 == 0) axes.push_back(i);
    }
    const bool keepdims = generator() % 2 == 0;
    const auto reference = [=](const Tensors& in) {
      Tensor out = in[0];
      Shape dropped;
      for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
        const bool kept = !axes.empty() && std::find(axes.begin(), axes.end(), axis) == axes.end();
        if (kept || keepdims) dropped.push_back(kept ? shape[axis] : 1);
        if (kept) continue;
        out = along(out, axis, 1, [&](const Line& line) {
          return Line{std::accumulate(line.begin(), line.end(), fold.identity, fold.combine)};
        });
      }
      return reshaped(out, dropped);
    };
    samples.push_back({name + to_string(shape),
                       [=](const Arrays& in) { return function(in[0], axes, keepdims); },
                       {normal_array(shape, 12)},
                       reference,
                       kManyTypes,
                       differentiable});
  }
}

void add_scan(std::vector<Sample>& samples, const std::string& name, ScanFunction function) {
  const Fold fold = fold_of(name);
  int number = 0;
  for (const Shape& shape : random_shapes(8, 1, 13)) {
    const int axis = number % static_cast<int>(shape.size());
    const ScanOptions options = {.reverse = number % 2 == 1, .inclusive = number % 4 < 2};
    ++number;
    // Exclusive extremes start with an infinity, which integers do not have.
    const bool infinite = std::isinf(fold.identity) && !options.inclusive;
    const auto reference = [=](const Tensors& in) {
      return along(in[0], axis, shape[axis],
                   [&](const Line& line) { return scanned(line, fold, options); });
    };
    samples.push_back(
        {name + to_string(shape),
         [=](const Arrays& in) { return function(in[0], axis, options); },
         {normal_array(shape, 14)},
         reference,
         infinite ? std::vector<Dtype>{float64, float32, float16, bfloat16} : kManyTypes,
         !infinite});
  }
}

}  // namespace

std::vector<Shape> random_shapes(size_t count, size_t lowest, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<Shape> shapes;
  while (shapes.size() < count) {
    Shape shape(lowest + generator() % (5 - lowest), 1);
    for (int64_t& length : shape) length = 1 + static_cast<int64_t>(generator() % 5);
    if (size_of(shape) <= 40) shapes.push_back(shape);
  }
  return shapes;
}

std::vector<Sample> reduce_samples() {
  std::vector<Sample> samples;
#define REDUCE(name, identity, combine, cotangent) \
  add_reduction(samples, #name, std::string(#cotangent) != "none", mica::name);
#include "core/ops/reduce.def"
#undef REDUCE
  return samples;
}

std::vector<Sample> scan_samples() {
  std::vector<Sample> samples;
#define SCAN(name, ...) add_scan(samples, #name, mica::name);
#include "core/ops/scan.def"
#undef SCAN
  return samples;
}

}  // namespace mica::testing
