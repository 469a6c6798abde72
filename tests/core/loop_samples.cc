// Samples of scan.
#include <cmath>

#include "core/eval/loop.h"
#include "core/ops/elementwise.h"
#include "core/ops/view.h"
#include "tests/core/samples.h"

namespace mica::testing {

std::vector<Sample> loop_samples() {
  std::vector<Sample> samples;
  for (const bool reverse : {false, true}) {
    samples.push_back({fmt::format("scan reverse {}", reverse),
                       [=](const Arrays& in) {
                         const auto body = [&](const Array& h, const Array& x) {
                           const Array next = tanh(h * in[2] + x);
                           return std::pair(next, next * x);
                         };
                         const auto [last, outputs] =
                             scan(body, in[0], in[1], {.reverse = reverse});
                         return concatenate({expand_dims(last, {0}), outputs});
                       },
                       {normal_array({2}, 1), normal_array({4, 2}, 2), normal_array({2}, 3)},
                       [=](const Tensors& in) {
                         Tensor out = {{5, 2}, std::vector<double>(10)};
                         for (int64_t i = 0; i < 2; ++i) {
                           double h = in[0].at({i});
                           for (int64_t k = 0; k < 4; ++k) {
                             const int64_t t = reverse ? 3 - k : k;
                             const double x = in[1].at({t, i});
                             h = std::tanh(h * in[2].at({i}) + x);
                             out.at({t + 1, i}) = h * x;
                           }
                           out.at({0, i}) = h;
                         }
                         return out;
                       }});
  }
  return samples;
}

}  // namespace mica::testing
