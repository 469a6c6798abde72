// Convolutional networks in training and inference, convolutions of sequences, and pooling.
#include "benchmarks/workloads/workload.h"
#include "core/eval/eval.h"
#include "core/ops/conv_nd.h"
#include "core/ops/create.h"
#include "core/ops/pool.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"
#include "nn/activations.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/losses.h"
#include "nn/norm.h"
#include "optim/rules.h"

namespace mica::benchmarks {
namespace {

// The network of configs/mnist_cnn.yaml for images of `side` squared with `channels`.
std::shared_ptr<nn::Sequential> article_network(int64_t channels, int64_t side) {
  auto network = std::make_shared<nn::Sequential>();
  int64_t in = channels;
  for (const int64_t out : {20, 50, 100}) {
    network->add(std::make_shared<nn::Conv2d>(
        in, nn::Conv2dConfig{.out = out, .kernel = {5, 5}, .padding = {2, 2}}));
    network->add(std::make_shared<nn::Relu>());
    network->add(std::make_shared<nn::MaxPool2d>());
    in = out;
  }
  const int64_t features = in * (side / 8) * (side / 8);
  network->add(std::make_shared<nn::Flatten>());
  network->add(std::make_shared<nn::Linear>(features, features / 2));
  network->add(std::make_shared<nn::Dropout>(0.3));
  network->add(std::make_shared<nn::Relu>());
  network->add(std::make_shared<nn::Linear>(features / 2, features / 4));
  network->add(std::make_shared<nn::Dropout>(0.3));
  network->add(std::make_shared<nn::Linear>(features / 4, 10));
  network->add(std::make_shared<nn::LogSoftmax>());
  return network;
}

template <int64_t channels, int64_t side>
Step train_cnn(Dtype products) {
  const auto loss = [](const Array& scores, const Array& labels) {
    return nn::nll(scores, labels);
  };
  return train_step(article_network(channels, side),
                    std::make_shared<optim::Optimizer>(optim::Sgd{.lr = 0.01}), loss,
                    sample({128, side, side, channels}, 1), sample_labels(128, 10, 2), products);
}

template <int64_t batch>
Step infer_cnn() {
  const auto network = article_network(1, 28);
  network->eval();
  const Array x = sample({batch, 28, 28, 1}, 1);
  return [=] { eval((*network)(x)); };
}

nn::Conv2d conv_without_bias(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  const int64_t padding = kernel / 2;
  return nn::Conv2d(in, nn::Conv2dConfig{.out = out,
                                         .kernel = {kernel, kernel},
                                         .stride = {stride, stride},
                                         .padding = {padding, padding},
                                         .bias = false});
}

// He et al. 2015, section 4.2, with projections (option B) where the size changes.
class ResidualBlock : public nn::ModuleWith<ResidualBlock> {
 public:
  ResidualBlock(int64_t in, int64_t out, int64_t stride)
      : first(conv_without_bias(in, out, 3, stride)),
        first_norm(out),
        second(conv_without_bias(out, out, 3, 1)),
        second_norm(out) {
    if (in == out) return;
    shortcut =
        std::make_shared<nn::Sequential>(conv_without_bias(in, out, 1, stride), nn::BatchNorm(out));
  }
  nn::Conv2d first;
  nn::BatchNorm first_norm;
  nn::Conv2d second;
  nn::BatchNorm second_norm;
  std::shared_ptr<nn::Sequential> shortcut;
  FIELDS(ResidualBlock, first, first_norm, second, second_norm, shortcut)
  Array forward(const Array& x) override {
    const Array inner = second_norm(second(relu(first_norm(first(x)))));
    return relu(inner + (shortcut ? (*shortcut)(x) : x));
  }
};

// Mean over height and width.
class GlobalAveragePool : public nn::ModuleWith<GlobalAveragePool> {
 public:
  NO_FIELDS(GlobalAveragePool)
  Array forward(const Array& x) override { return mean(x, {1, 2}); }
};

Step train_resnet20() {
  auto network = std::make_shared<nn::Sequential>(conv_without_bias(3, 16, 3, 1), nn::BatchNorm(16),
                                                  nn::Relu());
  int64_t in = 16;
  for (const int64_t out : {16, 32, 64}) {
    for (int block = 0; block < 3; ++block) {
      network->add(std::make_shared<ResidualBlock>(in, out, in == out ? 1 : 2));
      in = out;
    }
  }
  network->add(std::make_shared<GlobalAveragePool>());
  network->add(std::make_shared<nn::Linear>(64, 10));
  const auto loss = [](const Array& logits, const Array& labels) {
    return nn::cross_entropy(logits, labels);
  };
  return train_step(network,
                    std::make_shared<optim::Optimizer>(optim::Sgd{.lr = 0.1, .momentum = 0.9}),
                    loss, sample({128, 32, 32, 3}, 1), sample_labels(128, 10, 2));
}

// 8 sequences of 1000 x 256, kernel 12, 8 groups.
Step grouped_conv1d() {
  const Array x = sample({8, 1000, 256}, 1), weight = sample({256, 12, 32}, 2);
  return [=] { eval(conv1d(x, weight, {.groups = 8})); };
}

// The same sequences with a kernel for each channel, transposed.
Step depthwise_transpose1d() {
  const Array x = sample({8, 1000, 256}, 1), weight = sample({256, 12, 1}, 2);
  return [=] { eval(conv_transpose1d(x, weight, {.groups = 256})); };
}

Step max_pool_and_gradient() {
  const Array x = sample({16, 64, 64, 64}, 1);
  const Array cotangent = ones({16, 31, 31, 64});
  eval(cotangent);
  const ArraysFunction pool = [](const Arrays& in) {
    return Arrays{max_pool2d(in[0], {.kernel = {3, 3}, .stride = {2, 2}})};
  };
  return [=] {
    auto [outputs, gradients] = vjp(pool, {x}, {cotangent});
    eval(outputs[0], gradients[0]);
  };
}

}  // namespace

Workloads convnet_workloads() {
  return {{"cnn_mnist", [] { return train_cnn<1, 28>(float32); }},
          {"cnn_cifar", [] { return train_cnn<3, 32>(float32); }},
          {"cnn_bf16", [] { return train_cnn<1, 28>(bfloat16); }},
          {"resnet20", train_resnet20},
          {"infer_b1", infer_cnn<1>},
          {"infer_b512", infer_cnn<512>},
          {"conv1d_g8", grouped_conv1d},
          {"conv_transpose1d_dw", depthwise_transpose1d},
          {"max_pool", max_pool_and_gradient}};
}

}  // namespace mica::benchmarks
