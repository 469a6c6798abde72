#include "tests/core/samples.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/random.h"
#include "core/ops/random_op.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/softmax.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"

namespace mica::testing {
namespace {

using Samples = std::vector<Sample>;

const std::vector<Dtype> kAnyType = {float64, float32, float16, bfloat16, int32, uint8, int64};
const std::vector<Dtype> kOne = {float64};

Array normals(const Shape& shape, uint32_t seed = 1) { return normal_array(shape, seed); }

// Positions that sort a line, NaN last.
std::vector<size_t> order_of(const Line& line, bool largest_first) {
  std::vector<size_t> order(line.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return largest_first ? line[a] > line[b] : line[a] < line[b];
  });
  return order;
}

double log_sum(const Line& line) {
  const double best = *std::max_element(line.begin(), line.end());
  double total = 0;
  for (double v : line) total += std::exp(v - best);
  return best + std::log(total);
}

void add_softmax(Samples& samples) {
  for (const Shape& shape : random_shapes(6, 1, 21)) {
    const int axis =
        static_cast<int>(shape.size()) - 1 - static_cast<int>(samples.size() % shape.size());
    const auto lines = [axis](Line (*each)(const Line&)) {
      return [=](const Tensors& in) { return along(in[0], axis, in[0].shape[axis], each); };
    };
    samples.push_back({"softmax" + to_string(shape),
                       [=](const Arrays& in) { return softmax(in[0], axis); },
                       {normals(shape)},
                       lines([](const Line& line) {
                         Line out;
                         for (double v : line) out.push_back(std::exp(v - log_sum(line)));
                         return out;
                       })});
    samples.push_back({"log_softmax" + to_string(shape),
                       [=](const Arrays& in) { return log_softmax(in[0], axis); },
                       {normals(shape)},
                       lines([](const Line& line) {
                         Line out;
                         for (double v : line) out.push_back(v - log_sum(line));
                         return out;
                       })});
    samples.push_back({"logsumexp" + to_string(shape),
                       [=](const Arrays& in) { return logsumexp(in[0], {axis}, true); },
                       {normals(shape)},
                       [=](const Tensors& in) {
                         return along(in[0], axis, 1,
                                      [](const Line& line) { return Line{log_sum(line)}; });
                       }});
  }
  samples.push_back({"cross_entropy",
                     [](const Arrays& in) { return cross_entropy(in[0], in[1]); },
                     {normals({2, 3, 4}), array({{0, 3, -1}, {2, 4, 1}})},
                     [](const Tensors& in) {
                       return generate({2, 3}, [&](const Shape& i) -> double {
                         const auto label = static_cast<int64_t>(in[1].at(i));
                         if (label < 0 || label > 3) return 0;
                         Line line;
                         for (int64_t c = 0; c < 4; ++c) line.push_back(in[0].at({i[0], i[1], c}));
                         return log_sum(line) - line[static_cast<size_t>(label)];
                       });
                     }});
}

// The index into x for the index `at` of take(x, indices, axis).
Shape taken_from(const Shape& at, const Tensor& x, const Tensor& indices, int axis) {
  const auto rank = static_cast<ptrdiff_t>(indices.shape.size());
  const Shape place(at.begin() + axis, at.begin() + axis + rank);
  const auto index = static_cast<int64_t>(indices.at(place));
  Shape from(at.begin(), at.begin() + axis);
  from.push_back(index < 0 ? index + x.shape[axis] : index);
  from.append(at.begin() + axis + rank, at.end());
  return from;
}

void add_take(Samples& samples) {
  for (const int axis : {0, 1, 2}) {
    const Array x = normals({3, 3, 4});
    const Array indices = array({{2, 0, -1}, {1, 1, 0}});
    Shape shape = x.shape();
    shape.erase(shape.begin() + axis);
    shape.insert(shape.begin() + axis, 3);
    shape.insert(shape.begin() + axis, 2);
    samples.push_back({fmt::format("take axis {}", axis),
                       [=](const Arrays& in) { return take(in[0], in[1], axis); },
                       {x, indices},
                       [=](const Tensors& in) {
                         return generate(shape, [&](const Shape& at) {
                           return in[0].at(taken_from(at, in[0], in[1], axis));
                         });
                       },
                       kAnyType});
    samples.push_back({fmt::format("scatter_add axis {}", axis),
                       [=](const Arrays& in) { return scatter_add(in[0], in[1], in[2], axis); },
                       {x, indices, normals(shape, 2)},
                       [=](const Tensors& in) {
                         Tensor out = in[0];
                         for_each_index(shape, [&](const Shape& at) {
                           out.at(taken_from(at, in[0], in[1], axis)) += in[2].at(at);
                         });
                         return out;
                       }});
  }
}

void add_along_axis(Samples& samples) {
  for (const int axis : {0, 1}) {
    const Array x = normals({3, 4});
    const Array indices =
        axis == 0 ? array({{2, 0, 1, -1}, {2, 2, 0, 0}}) : array({{3, 0}, {-4, -4}, {1, 2}});
    const auto source = [axis](const Shape& at, const Tensors& in) {
      Shape from = at;
      from[axis] = static_cast<int64_t>(in[1].at(at));
      if (from[axis] < 0) from[axis] += in[0].shape[axis];
      return from;
    };
    samples.push_back({fmt::format("take_along_axis {}", axis),
                       [=](const Arrays& in) { return take_along_axis(in[0], in[1], axis); },
                       {x, indices},
                       [=](const Tensors& in) {
                         return generate(in[1].shape,
                                         [&](const Shape& at) { return in[0].at(source(at, in)); });
                       },
                       kAnyType});
    samples.push_back(
        {fmt::format("scatter_add_along_axis {}", axis),
         [=](const Arrays& in) { return scatter_add_along_axis(in[0], in[1], in[2], axis); },
         {x, indices, normals(indices.shape(), 3)},
         [=](const Tensors& in) {
           Tensor out = in[0];
           for_each_index(in[1].shape,
                          [&](const Shape& at) { out.at(source(at, in)) += in[2].at(at); });
           return out;
         }});
  }
  samples.push_back({"one_hot",
                     [](const Arrays& in) { return one_hot(in[0], 3, float64); },
                     {array({{0, 2}, {3, -1}})},
                     [](const Tensors& in) {
                       return generate({2, 2, 3}, [&](const Shape& i) -> double {
                         return in[0].at({i[0], i[1]}) == static_cast<double>(i[2]);
                       });
                     },
                     kOne,
                     false});
}

void add_sort(Samples& samples) {
  for (const Shape& shape : random_shapes(4, 1, 22)) {
    const int axis = static_cast<int>(samples.size() % shape.size());
    const int64_t length = shape[axis];
    const int64_t k = (length + 1) / 2;
    const auto picked = [=](bool positions, bool largest_first, int64_t count) {
      return [=](const Tensors& in) {
        return along(in[0], axis, count, [&](const Line& line) {
          Line out;
          for (size_t i : order_of(line, largest_first)) {
            out.push_back(positions ? static_cast<double>(i) : line[i]);
          }
          return out;
        });
      };
    };
    const std::string at = to_string(shape);
    const Array x = normals(shape);
    samples.push_back({"sort" + at,
                       [=](const Arrays& in) { return sort(in[0], axis); },
                       {x},
                       picked(false, false, length),
                       kAnyType});
    samples.push_back({"argsort" + at,
                       [=](const Arrays& in) { return argsort(in[0], axis); },
                       {x},
                       picked(true, false, length),
                       kAnyType,
                       false});
    samples.push_back({"topk" + at,
                       [=](const Arrays& in) { return topk(in[0], k, axis).first; },
                       {x},
                       picked(false, true, k),
                       kAnyType});
    samples.push_back({"topk positions" + at,
                       [=](const Arrays& in) { return topk(in[0], k, axis).second; },
                       {x},
                       picked(true, true, k),
                       kAnyType,
                       false});
    samples.push_back({"argmax" + at,
                       [=](const Arrays& in) { return argmax(in[0], axis, true); },
                       {x},
                       picked(true, true, 1),
                       kAnyType,
                       false});
    samples.push_back({"argmin" + at,
                       [=](const Arrays& in) { return argmin(in[0], axis, true); },
                       {x},
                       picked(true, false, 1),
                       kAnyType,
                       false});
  }
}

void add_search(Samples& samples) {
  samples.push_back({"searchsorted",
                     [](const Arrays& in) { return searchsorted(sort(in[0]), in[1]); },
                     {normals({6}), normals({2, 4}, 2)},
                     [](const Tensors& in) {
                       return generate({2, 4}, [&](const Shape& i) -> double {
                         const Line& line = in[0].data;
                         return static_cast<double>(std::count_if(
                             line.begin(), line.end(), [&](double x) { return x < in[1].at(i); }));
                       });
                     },
                     kAnyType,
                     false});
  samples.push_back({"view",
                     [](const Arrays& in) { return view(in[0], int32); },
                     {normal_array({3, 2}, 3, float32)},
                     [](const Tensors& in) {
                       return generate({3, 2}, [&](const Shape& i) -> double {
                         return std::bit_cast<int32_t>(static_cast<float>(in[0].at(i)));
                       });
                     },
                     kOne,
                     false});
}

void add_view(Samples& samples, std::string name, ArrayFunction function,
              std::function<Tensor(const Tensors&)> reference) {
  samples.push_back(
      {std::move(name), std::move(function), {normals({2, 3, 4})}, std::move(reference), kAnyType});
}

void add_views(Samples& samples) {
  add_view(
      samples, "reshape",
      [](const Arrays& in) {
        return reshape(in[0], {4, -1});
      },
      [](const Tensors& in) {
        return reshaped(in[0], {4, 6});
      });
  add_view(
      samples, "transpose",
      [](const Arrays& in) {
        return transpose(in[0], {1, 2, 0});
      },
      [](const Tensors& in) {
        return transposed(in[0], {1, 2, 0});
      });
  add_view(
      samples, "reshape of transpose", [](const Arrays& in) { return flatten(transpose(in[0])); },
      [](const Tensors& in) {
        return reshaped(transposed(in[0], {2, 1, 0}), {24});
      });
  add_view(
      samples, "broadcast_to",
      [](const Arrays& in) {
        return broadcast_to(in[0], {2, 2, 3, 4});
      },
      [](const Tensors& in) {
        return broadcast(in[0], {2, 2, 3, 4});
      });
}

void add_slices(Samples& samples) {
  add_view(
      samples, "slice",
      [](const Arrays& in) {
        return slice(in[0], {0, 2, 3}, {2, -4, 0}, {1, -2, -1});
      },
      [](const Tensors& in) {
        return generate({2, 2, 3}, [&](const Shape& i) {
          return in[0].at({i[0], 2 - 2 * i[1], 3 - i[2]});
        });
      });
  add_view(
      samples, "flip",
      [](const Arrays& in) {
        return flip(in[0], {0, 2});
      },
      [](const Tensors& in) {
        return generate({2, 3, 4}, [&](const Shape& i) {
          return in[0].at({1 - i[0], i[1], 3 - i[2]});
        });
      });
  add_view(
      samples, "expand_dims and squeeze",
      [](const Arrays& in) {
        return squeeze(expand_dims(in[0], {0, -1}), {0});
      },
      [](const Tensors& in) {
        return reshaped(in[0], {2, 3, 4, 1});
      });
  add_view(
      samples, "pad",
      [](const Arrays& in) {
        return pad(in[0], {0, 1, 2}, {1, 0, 1}, Array(3));
      },
      [](const Tensors& in) {
        return generate({3, 4, 7}, [&](const Shape& i) -> double {
          const Shape from = {i[0], i[1] - 1, i[2] - 2};
          const bool inside = from[0] < 2 && from[1] >= 0 && from[2] >= 0 && from[2] < 4;
          return inside ? in[0].at(from) : 3;
        });
      });
}

void add_joined(Samples& samples) {
  samples.push_back({"concatenate",
                     [](const Arrays& in) {
                       return concatenate({in[0], in[1], in[0]}, 1);
                     },
                     {normals({2, 3}), normals({2, 1}, 2)},
                     [](const Tensors& in) {
                       return generate({2, 7}, [&](const Shape& i) {
                         if (i[1] == 3) return in[1].at({i[0], 0});
                         return in[0].at({i[0], i[1] < 3 ? i[1] : i[1] - 4});
                       });
                     },
                     kAnyType});
  samples.push_back({"stack and split",
                     [](const Arrays& in) {
                       return split(stack({in[0], in[1]}, 1), 2, 2)[1];
                     },
                     {normals({2, 4}), normals({2, 4}, 2)},
                     [](const Tensors& in) {
                       return generate({2, 2, 2}, [&](const Shape& i) {
                         return in[static_cast<size_t>(i[1])].at({i[0], 2 + i[2]});
                       });
                     },
                     kAnyType});
}

void add_created(Samples& samples) {
  const auto add = [&](std::string name, const Array& made, const Tensor& wanted) {
    samples.push_back({std::move(name),
                       [=](const Arrays&) { return made; },
                       {},
                       [=](const Tensors&) { return wanted; },
                       kOne,
                       false});
  };
  add("arange", arange(2, 5, 0.5, float32), {{6}, {2, 2.5, 3, 3.5, 4, 4.5}});
  add("linspace", linspace(0, 1, 5, float64), {{5}, {0, 0.25, 0.5, 0.75, 1}});
  add("eye", eye(2, 3, int32), {{2, 3}, {1, 0, 0, 0, 1, 0}});
  add("full", full({2, 1}, Array(7), int8), {{2, 1}, {7, 7}});
}

void add_random(Samples& samples) {
  const Array key = array<uint32_t>({uint32_t(3), uint32_t(9)});
  samples.push_back({"random bits",
                     [](const Arrays& in) {
                       return random::bits({3, 3}, in[0]);
                     },
                     {key},
                     [](const Tensors&) {
                       return generate({3, 3}, [](const Shape& at) {
                         const auto i = static_cast<uint32_t>(3 * at[0] + at[1]);
                         return static_cast<double>(threefry({3, 9}, {0, i / 2})[i % 2]);
                       });
                     },
                     kOne,
                     false});
  samples.push_back({"random split",
                     [](const Arrays& in) {
                       return random::split(bitwise_or(in[0], zeros({2}, uint32)), int64_t{2});
                     },
                     {key},
                     [](const Tensors&) {
                       return generate({2, 2}, [](const Shape& at) {
                         const auto i = static_cast<uint32_t>(at[0]);
                         return static_cast<double>(threefry({3, 9}, {0x80000000u, i})[at[1]]);
                       });
                     },
                     kOne,
                     false});
}

void add_dropout(Samples& samples) {
  samples.push_back({"dropout",
                     [](const Arrays& in) { return random::dropout(in[0], 0.4, in[1]); },
                     {normals({3, 4}), array<uint32_t>({uint32_t(3), uint32_t(9)})},
                     [](const Tensors& in) {
                       return generate({3, 4}, [&](const Shape& at) {
                         const auto i = static_cast<uint32_t>(4 * at[0] + at[1]);
                         const uint32_t word = threefry({3, 9}, {0, i / 2})[i % 2];
                         return (word >> 8) * 0x1p-24 < 0.6 ? in[0].at(at) / 0.6 : 0.0;
                       });
                     }});
}

void add_pointwise(Samples& samples) {
  const Array condition = array({{true, false, true}, {false, true, true}});
  samples.push_back({"where",
                     [](const Arrays& in) { return where(in[0], in[1], in[2]); },
                     {condition, normals({2, 3}), normals({3}, 2)},
                     [](const Tensors& in) {
                       return generate({2, 3}, [&](const Shape& i) {
                         return in[0].at(i) != 0 ? in[1].at(i) : in[2].at({i[1]});
                       });
                     },
                     kAnyType});
  samples.push_back({"clip",
                     [](const Arrays& in) { return clip(in[0], -0.5f, 0.75f); },
                     {normals({3, 4})},
                     [](const Tensors& in) {
                       return generate({3, 4}, [&](const Shape& i) {
                         return std::clamp(in[0].at(i), -0.5, 0.75);
                       });
                     }});
  samples.push_back(
      {"astype",
       [](const Arrays& in) { return astype(astype(in[0], float64), int32); },
       {normals({3, 4})},
       [](const Tensors& in) {
         return generate({3, 4}, [&](const Shape& i) { return std::trunc(in[0].at(i)); });
       },
       kAnyType,
       false});
  samples.push_back({"mean",
                     [](const Arrays& in) { return mean(in[0], {1}); },
                     {normals({3, 4})},
                     [](const Tensors& in) {
                       return reshaped(
                           along(in[0], 1, 1,
                                 [](const Line& line) {
                                   return Line{std::accumulate(line.begin(), line.end(), 0.0) / 4};
                                 }),
                           {3});
                     }});
  samples.push_back({"var",
                     [](const Arrays& in) { return var(in[0], {0}, true, 1); },
                     {normals({3, 4})},
                     [](const Tensors& in) {
                       return along(in[0], 0, 1, [](const Line& line) {
                         const double mean = (line[0] + line[1] + line[2]) / 3;
                         double total = 0;
                         for (double v : line) total += (v - mean) * (v - mean);
                         return Line{total / 2};
                       });
                     }});
}

void add_recurrence(Samples& samples) {
  for (const bool reverse : {false, true}) {
    samples.push_back(
        {fmt::format("linear_recurrence reverse={}", reverse),
         [=](const Arrays& in) { return linear_recurrence(in[0], in[1], 0, reverse); },
         {normals({4, 2}), normals({4, 2}, 2)},
         [=](const Tensors& in) {
           Tensor out = in[1];
           for (int64_t k = 1; k < 4; ++k) {
             for (int64_t n = 0; n < 2; ++n) {
               const int64_t at = reverse ? 3 - k : k;
               const int64_t before = reverse ? at + 1 : at - 1;
               out.at({at, n}) += in[0].at({at, n}) * out.at({before, n});
             }
           }
           return out;
         }});
  }
}

}  // namespace

std::vector<Sample> op_samples() {
  Samples samples;
  add_softmax(samples);
  add_take(samples);
  add_along_axis(samples);
  add_sort(samples);
  add_search(samples);
  add_views(samples);
  add_slices(samples);
  add_joined(samples);
  add_created(samples);
  add_random(samples);
  add_dropout(samples);
  add_pointwise(samples);
  add_recurrence(samples);
  return samples;
}

}  // namespace mica::testing
