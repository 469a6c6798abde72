// Samples of writing by index, against loops over the updates.
#include <algorithm>

#include "core/ops/elementwise.h"
#include "core/ops/scatter.h"
#include "core/ops/view.h"
#include "tests/core/samples.h"

namespace mica::testing {
namespace {

using Samples = std::vector<Sample>;
using Write = double (*)(double, double);

const std::vector<Dtype> kTypes = {float64, float32, float16, bfloat16, int32, int64};

struct Way {
  const char* name;
  Array (*rows)(const Array&, const Array&, const Array&, int);
  Write write;
};
const Way kWays[] = {
    {"scatter", scatter, [](double, double u) { return u; }},
    {"scatter_prod", scatter_prod, [](double x, double u) { return x * u; }},
    {"scatter_max", scatter_max, [](double x, double u) { return std::max(x, u); }},
    {"scatter_min", scatter_min, [](double x, double u) { return std::min(x, u); }},
};

int64_t wrapped(double index, int64_t length) {
  const auto i = static_cast<int64_t>(index);
  return i < 0 ? i + length : i;
}

void add_rows(Samples& samples) {
  for (const Way& way : kWays) {
    for (const int axis : {0, 1, 2}) {
      // Place 1 is met three times.
      const Array indices = array({{1, 0, -2}, {1, 1, -1}});
      Shape shape = {3, 3, 3};
      shape.erase(shape.begin() + axis);
      shape.insert(shape.begin() + axis, 3);
      shape.insert(shape.begin() + axis, 2);
      samples.push_back({fmt::format("{} axis {}", way.name, axis),
                         [=](const Arrays& in) { return way.rows(in[0], in[1], in[2], axis); },
                         {normal_array({3, 3, 3}, 1), indices, normal_array(shape, 2)},
                         [=](const Tensors& in) {
                           Tensor out = in[0];
                           for_each_index(shape, [&](const Shape& i) {
                             Shape place(i.begin(), i.begin() + axis);
                             const double index = in[1].at({i[axis], i[axis + 1]});
                             place.push_back(wrapped(index, 3));
                             place.append(i.begin() + axis + 2, i.end());
                             out.at(place) = way.write(out.at(place), in[2].at(i));
                           });
                           return out;
                         },
                         kTypes});
    }
  }
}

void add_several_axes(Samples& samples) {
  const std::pair<const char*, Array (At::*)(const Array&) const> ways[] = {
      {"set", &At::set},
      {"multiply", &At::multiply},
      {"maximum", &At::maximum},
      {"minimum", &At::minimum}};
  for (size_t w = 0; w < 4; ++w) {
    const auto method = ways[w].second;
    const Write write = kWays[w].write;
    samples.push_back({fmt::format("at {}", ways[w].first),
                       [=](const Arrays& in) {
                         return (at(in[0], {in[1], in[2]}).*method)(in[3]);
                       },
                       {normal_array({3, 4, 2}, 3), array({{0}, {-1}}), array({1, -1, 1}),
                        normal_array({2, 3, 2}, 4)},
                       [=](const Tensors& in) {
                         Tensor out = in[0];
                         for_each_index({2, 3, 2}, [&](const Shape& i) {
                           const Shape place = {wrapped(in[1].at({i[0], 0}), 3),
                                                wrapped(in[2].at({i[1]}), 4), i[2]};
                           out.at(place) = write(out.at(place), in[3].at(i));
                         });
                         return out;
                       },
                       kTypes});
  }
  samples.push_back(
      {"at get",
       [](const Arrays& in) {
         return at(in[0], {in[1], in[2]}).get();
       },
       {normal_array({3, 4, 2}, 5), array({{0}, {-1}}), array({1, -1, 1})},
       [](const Tensors& in) {
         return generate({2, 3, 2}, [&](const Shape& i) {
           return in[0].at({wrapped(in[1].at({i[0], 0}), 3), wrapped(in[2].at({i[1]}), 4), i[2]});
         });
       },
       kTypes});
}

void add_along_axis(Samples& samples) {
  samples.push_back(
      {"put_along_axis",
       [](const Arrays& in) { return put_along_axis(in[0], in[1], in[2], 1); },
       {normal_array({2, 4}, 6), array({{3, 0, 3}, {-4, 1, 2}}), normal_array({2, 3}, 7)},
       [](const Tensors& in) {
         Tensor out = in[0];
         for_each_index({2, 3}, [&](const Shape& i) {
           out.at({i[0], wrapped(in[1].at(i), 4)}) = in[2].at(i);
         });
         return out;
       },
       kTypes});
  samples.push_back({"masked_scatter",
                     [](const Arrays& in) { return masked_scatter(in[0], in[1], in[2]); },
                     {normal_array({2, 3}, 8), array({{true, false, true}, {false, true, true}}),
                      normal_array({5}, 9)},
                     [](const Tensors& in) {
                       Tensor out = in[0];
                       size_t next = 0;
                       for (size_t i = 0; i < out.data.size(); ++i) {
                         if (in[1].data[i] != 0) out.data[i] = in[2].data[next++];
                       }
                       return out;
                     },
                     kTypes});
}

void add_parts(Samples& samples) {
  const auto inside = [](const Shape& i, const Tensor& start) {
    const Shape from = {i[0] - static_cast<int64_t>(start.data[0]), i[1],
                        i[2] - static_cast<int64_t>(start.data[1])};
    const bool within = from[0] >= 0 && from[0] < 2 && from[2] >= 0 && from[2] < 3;
    return std::pair(within, from);
  };
  samples.push_back({"dynamic_slice",
                     [](const Arrays& in) {
                       return dynamic_slice(in[0], in[1], {0, -1}, {2, 3});
                     },
                     {normal_array({4, 2, 5}, 10), array({1, 2})},
                     [](const Tensors& in) {
                       return generate({2, 2, 3}, [&](const Shape& i) {
                         return in[0].at({i[0] + 1, i[1], i[2] + 2});
                       });
                     },
                     kTypes});
  samples.push_back({"dynamic_slice_update",
                     [](const Arrays& in) {
                       return dynamic_slice_update(in[0], in[1], in[2], {0, -1});
                     },
                     {normal_array({4, 2, 5}, 11), normal_array({2, 2, 3}, 12), array({1, 2})},
                     [=](const Tensors& in) {
                       return generate({4, 2, 5}, [&](const Shape& i) {
                         const auto [within, from] = inside(i, in[2]);
                         return within ? in[1].at(from) : in[0].at(i);
                       });
                     },
                     kTypes});
  samples.push_back(
      {"slice_update_prod",
       [](const Arrays& in) { return slice_update_prod(in[0], in[1], {3}, {0}, {-2}); },
       {normal_array({4}, 13), normal_array({2}, 14)},
       [](const Tensors& in) {
         Tensor out = in[0];
         out.data[3] *= in[1].data[0];
         out.data[1] *= in[1].data[1];
         return out;
       },
       kTypes});
}

}  // namespace

std::vector<Sample> scatter_samples() {
  Samples samples;
  add_rows(samples);
  add_several_axes(samples);
  add_along_axis(samples);
  add_parts(samples);
  return samples;
}

}  // namespace mica::testing
