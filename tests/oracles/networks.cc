// Functions of neural networks that people write, under the names that functions.py uses.
#include "core/ops/attention.h"
#include "core/ops/conv.h"
#include "core/ops/conv_nd.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/norm.h"
#include "core/ops/numeric.h"
#include "core/ops/pool.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/ops/view.h"
#include "core/transform/jacobian.h"
#include "core/transform/vmap.h"
#include "tests/oracles/oracle.h"

namespace mica::oracles {
namespace {

using Function = Array (*)(const Arrays&);

void add(Functions& all, const char* name, Function f) {
  all[name] = [f](const Arrays& in) { return Arrays{f(in)}; };
}

Array dense(const Array& x, const Array& weight, const Array& bias) {
  return matmul(x, weight) + bias;
}

// A network of two layers; p: weights and biases.
Array mlp(const Array& x, const Arrays& p, size_t first = 0) {
  return dense(tanh(dense(x, p[first], p[first + 1])), p[first + 2], p[first + 3]);
}

Array one_hot_loss(const Array& logits, const Array& targets) {
  return -mean(sum(targets * log_softmax(logits), {-1}));
}

void add_layers(Functions& all) {
  add(all, "attention",
      [](const Arrays& in) { return scaled_dot_product_attention(in[0], in[1], in[2]); });
  add(all, "causal_attention", [](const Arrays& in) {
    return scaled_dot_product_attention(in[0], in[1], in[2], {.causal = true});
  });
  add(all, "masked_softmax", [](const Arrays& in) {
    const Array seen = tri(in[0].dim(-2), in[0].dim(-1));
    return softmax(where(seen > 0, in[0], -1e9)) * 2.0;
  });
  add(all, "mlp_tanh", [](const Arrays& in) { return mlp(in[0], in, 1); });
  add(all, "mlp_gelu",
      [](const Arrays& in) { return sum(gelu(matmul(gelu(matmul(in[0], in[1])), in[2])), {-1}); });
  add(all, "layer_norm", [](const Arrays& in) { return layer_norm(in[0], in[1], in[2], 1e-3); });
  add(all, "rms_norm", [](const Arrays& in) { return rms_norm(in[0], in[1], 1e-3); });
  add(all, "batch_norm", [](const Arrays& in) {
    const Array centred = in[0] - mean(in[0], {0}, true);
    return centred * rsqrt(mean(square(centred), {0}, true) + 1e-3) * in[1] + in[2];
  });
  add(all, "group_norm", [](const Arrays& in) {
    const Array x = reshape(in[0], {in[0].dim(0), 2, in[0].dim(1) / 2});
    const Array normal = (x - mean(x, {-1}, true)) / sqrt(var(x, {-1}, true) + 1e-3);
    return reshape(normal, in[0].shape()) * in[1];
  });
  add(all, "conv1d_net", [](const Arrays& in) {
    return mean(tanh(conv1d(in[0], in[1], {.stride = 2, .padding = 1})), {1});
  });
  add(all, "conv2d_net", [](const Arrays& in) {
    const Array h = silu(conv2d(in[0], in[1], {.padding = {1, 1}}));
    return avg_pool2d(h, {}) * 3.0;
  });
  add(all, "depthwise_conv", [](const Arrays& in) {
    return conv2d(in[0], in[1], {.dilation = {2, 1}, .groups = in[0].dim(3)});
  });
  add(all, "lstm", [](const Arrays& in) {
    Array h = zeros({in[0].dim(1), in[2].dim(0)}, float64), c = h;
    for (int64_t t = 0; t < in[0].dim(0); ++t) {
      const Array x = squeeze(slice_axis(in[0], 0, t, t + 1), {0});
      const Arrays gates = split(matmul(x, in[1]) + matmul(h, in[2]), 4, 1);
      c = sigmoid(gates[1]) * c + sigmoid(gates[0]) * tanh(gates[2]);
      h = sigmoid(gates[3]) * tanh(c);
    }
    return h;
  });
  add(all, "gru", [](const Arrays& in) {
    Array h = zeros({in[0].dim(1), in[2].dim(0)}, float64);
    for (int64_t t = 0; t < in[0].dim(0); ++t) {
      const Array x = squeeze(slice_axis(in[0], 0, t, t + 1), {0});
      const Arrays a = split(matmul(x, in[1]), 3, 1), b = split(matmul(h, in[2]), 3, 1);
      const Array update = sigmoid(a[0] + b[0]), reset = sigmoid(a[1] + b[1]);
      h = (1.0 - update) * tanh(a[2] + reset * b[2]) + update * h;
    }
    return h;
  });
  add(all, "graph_convolution", [](const Arrays& in) {
    const Array a = sigmoid(in[0]), scale = rsqrt(sum(a, {1}));
    return tanh(matmul(expand_dims(scale, {1}) * a * scale, matmul(in[1], in[2])));
  });
  add(all, "embedding_bag", [](const Arrays& in) {
    const Array indices = array({{0, 2, 1}, {3, 3, 0}});
    return matmul(mean(take(in[0], indices, 0), {1}), in[1]);
  });
  add(all, "rotary_embedding", [](const Arrays& in) {
    const int64_t length = in[0].dim(0), half = in[0].dim(1) / 2;
    const Array rates = exp(-0.7 * astype(arange(half), float64));
    const Array angles = outer(astype(arange(length), float64), rates);
    const Arrays x = split(in[0], 2, 1);
    return concatenate(
        {x[0] * cos(angles) - x[1] * sin(angles), x[0] * sin(angles) + x[1] * cos(angles)}, 1);
  });
  add(all, "mixture_of_experts", [](const Arrays& in) {
    return einsum("be,bec->bc",
                  {softmax(matmul(in[0], in[1])), tanh(einsum("bi,eic->bec", {in[0], in[2]}))});
  });
  add(all, "squeeze_excite", [](const Arrays& in) {
    return in[0] * expand_dims(sigmoid(matmul(mean(in[0], {1}), in[1])), {1});
  });
  add(all, "gumbel_softmax", [](const Arrays& in) { return softmax((in[0] + in[1]) / 0.7); });
}

void add_losses(Functions& all) {
  add(all, "cross_entropy", [](const Arrays& in) { return one_hot_loss(in[0], softmax(in[1])); });
  add(all, "label_smoothing", [](const Arrays& in) {
    const Array y = 0.9 * one_hot(array({0, 2, 1}), 4, float64) + 0.025;
    return one_hot_loss(in[0], y);
  });
  add(all, "focal_loss", [](const Arrays& in) {
    const Array p = sigmoid(in[0]);
    return -mean(square(1.0 - p) * log(p));
  });
  add(all, "binary_cross_entropy",
      [](const Arrays& in) { return mean(softplus(in[0]) - sigmoid(in[1]) * in[0]); });
  add(all, "huber", [](const Arrays& in) {
    const Array d = abs(in[0] - in[1]);
    return mean(where(d < 1.0, 0.5 * square(d), d - 0.5));
  });
  add(all, "log_cosh", [](const Arrays& in) {
    const Array d = in[0] - in[1];
    return mean(logaddexp(d, -d) - std::log(2.0));
  });
  add(all, "info_nce", [](const Arrays& in) {
    const auto unit = [](const Array& x) { return x / sqrt(sum(square(x), {-1}, true)); };
    const Array s = matmul(unit(in[0]), transpose(unit(in[1]))) / 0.3;
    return -mean(diagonal(log_softmax(s)));
  });
  add(all, "triplet", [](const Arrays& in) {
    const Array near = sum(square(in[0] - in[1]), {-1}), far = sum(square(in[0] - in[2]), {-1});
    return mean(softplus(near - far + 1.0));
  });
  add(all, "cosine_similarity", [](const Arrays& in) {
    return vecdot(in[0], in[1]) / sqrt(vecdot(in[0], in[0]) * vecdot(in[1], in[1]));
  });
  add(all, "variational_bound", [](const Arrays& in) {
    const Array z = in[0] + exp(0.5 * in[1]) * in[2];
    const Array kl = -0.5 * sum(1.0 + in[1] - square(in[0]) - exp(in[1]), {-1});
    return mean(kl + sum(square(tanh(matmul(z, in[3])) - 0.3), {-1}));
  });
}

void add_learning(Functions& all) {
  // Gradients and Hessians as parts of functions.
  add(all, "logistic_newton", [](const Arrays& in) {
    const Array x = in[1];
    const UnaryFunction loss = [x](const Array& w) { return mean(softplus(-matmul(x, w))); };
    const Array g = grad(loss)(in[0]);
    return sum(g * hvp(loss, in[0], g));
  });
  add(all, "logistic_hessian", [](const Arrays& in) {
    const Array x = in[1];
    return hessian([x](const Array& w) { return mean(softplus(-matmul(x, w))); })(in[0]);
  });
  add(all, "one_inner_step", [](const Arrays& in) {
    const auto loss = [&](const Array& w, const Array& x) {
      return mean(square(tanh(matmul(x, w))));
    };
    const Array g = grad([&](const Array& w) { return loss(w, in[1]); })(in[0]);
    return loss(in[0] - 0.4 * g, in[2]);
  });
  add(all, "unrolled_descent", [](const Arrays& in) {
    Array w = in[0];
    const auto inner =
        grad([&](const Array& v) { return sum(square(matmul(in[1], v))) * 0.5 + sum(cos(v)); });
    for (int i = 0; i < 5; ++i) w = w - 0.05 * inner(w);
    return sum(square(w - 0.5));
  });
  add(all, "per_example_norms", [](const Arrays& in) {
    const Array w = in[0];
    const auto gradient = grad(
        ScalarFunction([](const Arrays& a) { return square(tanh(sum(a[0] * a[1])) - 0.5); }), {0});
    const Array g = vmap(gradient, {std::nullopt, 0})({w, in[1]})[0];
    return sqrt(sum(square(g), {1}));
  });
  add(all, "gradient_penalty", [](const Arrays& in) {
    const auto critic = [&](const Array& x) { return sum(mlp(x, in, 1)); };
    return mean(square(sqrt(sum(square(grad(UnaryFunction(critic))(in[0])), {-1})) - 1.0));
  });
  add(all, "spectral_norm", [](const Arrays& in) {
    Array u = in[1];
    for (int i = 0; i < 3; ++i) {
      const Array v = matmul(transpose(in[0]), u);
      u = matmul(in[0], v / sqrt(sum(square(v))));
      u = u / sqrt(sum(square(u)));
    }
    return sqrt(sum(square(matmul(transpose(in[0]), u))));
  });
}

}  // namespace

Functions network_functions() {
  Functions all;
  add_layers(all);
  add_losses(all);
  add_learning(all);
  return all;
}

}  // namespace mica::oracles
