// Samples of matrix products, convolution and pooling.
#include <algorithm>
#include <cmath>

#include "core/ops/attention.h"
#include "core/ops/conv.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/pool.h"
#include "tests/core/samples.h"

namespace mica::testing {
namespace {

using Samples = std::vector<Sample>;

Array normals(const Shape& shape, uint32_t seed = 1) { return normal_array(shape, seed); }

void add_matmul(Samples& samples) {
  const std::pair<Shape, Shape> shapes[] = {
      {{2, 3}, {3, 4}}, {{1, 5}, {5, 1}}, {{2, 2, 3}, {3, 2}}, {{2, 1, 2, 3}, {3, 3, 2}}};
  for (const auto& [a, b] : shapes) {
    samples.push_back({"matmul" + to_string(a) + to_string(b),
                       [](const Arrays& in) { return matmul(in[0], in[1]); },
                       {normals(a, 1), normals(b, 2)},
                       [](const Tensors& in) {
                         const Shape& left = in[0].shape;
                         const Shape& right = in[1].shape;
                         Shape batch = broadcast_shapes(Shape(left.begin(), left.end() - 2),
                                                        Shape(right.begin(), right.end() - 2));
                         const auto grown = [&](const Tensor& x) {
                           Shape shape = batch;
                           shape.append(x.shape.end() - 2, x.shape.end());
                           return broadcast(x, shape);
                         };
                         const Tensor x = grown(in[0]);
                         const Tensor y = grown(in[1]);
                         Shape shape = x.shape;
                         shape.back() = y.shape.back();
                         return generate(shape, [&](const Shape& index) {
                           double total = 0;
                           Shape i = index;
                           Shape j = index;
                           for (int64_t k = 0; k < x.shape.back(); ++k) {
                             i.back() = k;
                             j[j.size() - 2] = k;
                             total += x.at(i) * y.at(j);
                           }
                           return total;
                         });
                       }});
  }
  samples.push_back({"matmul of vectors",
                     [](const Arrays& in) { return matmul(in[0], in[1]) + matmul(in[1], in[0]); },
                     {normals({3}, 1), normals({3}, 2)},
                     [](const Tensors& in) {
                       double total = 0;
                       for (size_t i = 0; i < 3; ++i) total += in[0].data[i] * in[1].data[i];
                       return Tensor{{}, {2 * total}};
                     }});
}

// Calls visit(index in x, index in the weight, index in the result) for every product in conv2d.
template <class Visit>
void for_each_product(const Shape& x, const Shape& w, const Shape& y, const Conv2dOptions& o,
                      Visit visit) {
  for_each_index(y, [&](const Shape& at) {
    for_each_index({w[1], w[2], w[3]}, [&](const Shape& tap) {
      const int64_t row = at[1] * o.stride[0] - o.padding[0] + tap[0] * o.dilation[0];
      const int64_t column = at[2] * o.stride[1] - o.padding[1] + tap[1] * o.dilation[1];
      if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) return;
      const int64_t group = at[3] / (w[0] / o.groups);
      visit(Shape{at[0], row, column, group * w[3] + tap[2]}, Shape{at[3], tap[0], tap[1], tap[2]},
            at);
    });
  });
}

void add_conv(Samples& samples) {
  const Conv2dOptions variants[] = {{},
                                    {.stride = {2, 1}, .padding = {1, 2}},
                                    {.padding = {2, 0}, .dilation = {2, 1}, .groups = 2}};
  for (const Conv2dOptions& o : variants) {
    const Shape x = {2, 5, 4, 2};
    const Shape w = {2, 2, 3, 2 / o.groups};
    const Shape y = conv2d_shape(x, w, o);
    samples.push_back({"conv2d" + print_fields(o),
                       [=](const Arrays& in) { return conv2d(in[0], in[1], o); },
                       {normals(x, 1), normals(w, 2)},
                       [=](const Tensors& in) {
                         Tensor out = generate(y, [](const Shape&) { return 0; });
                         for_each_product(x, w, y, o,
                                          [&](const auto& i, const auto& j, const auto& k) {
                                            out.at(k) += in[0].at(i) * in[1].at(j);
                                          });
                         return out;
                       }});
    samples.push_back({"conv2d_input" + print_fields(o),
                       [=](const Arrays& in) { return conv2d_input(in[0], in[1], x, o); },
                       {normals(y, 1), normals(w, 2)},
                       [=](const Tensors& in) {
                         Tensor out = generate(x, [](const Shape&) { return 0; });
                         for_each_product(x, w, y, o,
                                          [&](const auto& i, const auto& j, const auto& k) {
                                            out.at(i) += in[0].at(k) * in[1].at(j);
                                          });
                         return out;
                       }});
    samples.push_back({"conv2d_weight" + print_fields(o),
                       [=](const Arrays& in) { return conv2d_weight(in[0], in[1], w, o); },
                       {normals(x, 1), normals(y, 2)},
                       [=](const Tensors& in) {
                         Tensor out = generate(w, [](const Shape&) { return 0; });
                         for_each_product(x, w, y, o,
                                          [&](const auto& i, const auto& j, const auto& k) {
                                            out.at(j) += in[0].at(i) * in[1].at(k);
                                          });
                         return out;
                       }});
  }
}

void add_pool(Samples& samples) {
  const Pool2dOptions variants[] = {{},
                                    {.kernel = {3, 2}, .stride = {1, 2}},
                                    {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}};
  for (const Pool2dOptions& o : variants) {
    const Shape x = {2, 5, 4, 3};
    const Shape y = pool2d_shape(x, o);
    for (const bool largest : {true, false}) {
      const auto reference = [=](const Tensors& in) {
        return generate(y, [&](const Shape& at) {
          double best = -INFINITY;
          double total = 0;
          for_each_index({o.kernel[0], o.kernel[1]}, [&](const Shape& tap) {
            const int64_t row = at[1] * o.stride[0] - o.padding[0] + tap[0];
            const int64_t column = at[2] * o.stride[1] - o.padding[1] + tap[1];
            if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) return;
            const double v = in[0].at({at[0], row, column, at[3]});
            best = std::max(best, v);
            total += v;
          });
          return largest ? best : total / static_cast<double>(o.kernel[0] * o.kernel[1]);
        });
      };
      samples.push_back(
          {(largest ? "max_pool2d" : "avg_pool2d") + print_fields(o),
           [=](const Arrays& in) { return largest ? max_pool2d(in[0], o) : avg_pool2d(in[0], o); },
           {normals(x)},
           reference});
    }
  }
}

void add_attention(Samples& samples) {
  for (const bool causal : {false, true}) {
    const double scale = 0.7;
    samples.push_back(
        {fmt::format("attention causal={}", causal),
         [=](const Arrays& in) {
           return scaled_dot_product_attention(in[0], in[1], in[2],
                                               {.scale = scale, .causal = causal});
         },
         {normals({2, 4, 3}, 1), normals({2, 5, 3}, 2), normals({2, 5, 2}, 3)},
         [=](const Tensors& in) {
           return generate({2, 4, 2}, [&](const Shape& at) {
             double total = 0, weighted = 0;
             for (int64_t j = 0; j < (causal ? at[1] + 1 : 5); ++j) {
               double score = 0;
               for (int64_t d = 0; d < 3; ++d) {
                 score += scale * in[0].at({at[0], at[1], d}) * in[1].at({at[0], j, d});
               }
               total += std::exp(score);
               weighted += std::exp(score) * in[2].at({at[0], j, at[2]});
             }
             return weighted / total;
           });
         }});
  }
}

}  // namespace

std::vector<Sample> product_samples() {
  Samples samples;
  add_attention(samples);
  add_matmul(samples);
  add_conv(samples);
  add_pool(samples);
  return samples;
}

}  // namespace mica::testing
