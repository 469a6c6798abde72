// A fixture for whole runs in small: a convolutional network on a few made-up images.
//
//   TEST_F(SmallRun, Learns) {
//     const RunFolder folder = run("a", config({"train.epochs=15"}));
//   }
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "core/runtime/parallel.h"
#include "tests/trainers/folder_test.h"
#include "trainers/trainer.h"

namespace mica::trainers {
namespace fs = std::filesystem;

inline constexpr const char* kConfig =
    "seed: 3\n"
    "data: {path: unused.h5, batch_size: 8, normalize: unit, augment: [pad_crop: 1, flip]}\n"
    "model:\n"
    "  - conv2d: {out: 4, kernel: 3, padding: 1}\n"
    "  - batch_norm\n"
    "  - relu\n"
    "  - max_pool2d: 2\n"
    "  - flatten\n"
    "  - dropout: 0.3\n"
    "  - linear: 3\n"
    "loss: cross_entropy\n"
    "optimizer: {adam: {lr: 0.01}, schedule: cosine}\n"
    "train: {epochs: 3, checkpoint_seconds: 0}\n";

// 44 images of 6 x 6: the class says which third of the rows is bright.
inline data::Split images(int64_t count, int64_t first) {
  data::Split split{HostTensor(uint8, {count, 6, 6, 1}), HostTensor(int32, {count})};
  for (int64_t i = 0; i < count; ++i) {
    const int32_t label = static_cast<int32_t>((first + i) * 7 % 3);
    split.y.as<int32_t>()[static_cast<size_t>(i)] = label;
    for (int64_t p = 0; p < 36; ++p) {
      const int64_t noise = (first + i) * 37 % 101 * (p + 3) % 97;
      split.x.as<uint8_t>()[static_cast<size_t>(i * 36 + p)] =
          static_cast<uint8_t>(noise + (p / 12 == label ? 120 : 0));
    }
  }
  return split;
}

inline std::shared_ptr<const data::Dataset> dataset(int64_t train_count = 44) {
  data::DatasetInfo info;
  info.class_names = {"top", "middle", "bottom"};
  return data::Dataset::from_memory(
      info,
      {{"train", images(train_count, 0)}, {"val", images(12, 100)}, {"test", images(15, 200)}});
}

class SmallRun : public FolderTest {
 protected:
  SmallRun() : progress_(stderr, Progress::Mode::kNone) {}
  void TearDown() override { set_threads(0); }

  RunConfig config(const std::vector<std::string>& overrides = {}) {
    return parse_config(kConfig, "c.yaml", "/", overrides);
  }

  trainers::Setup setup(const RunConfig& config,
                        std::shared_ptr<const data::Dataset> data = dataset()) {
    trainers::Setup setup;
    setup.network = build_network(config, data->sample_shape(), {3});
    setup.normalization = data::normalization(*data, config.data.normalize);
    setup.data.dataset = std::move(data);
    return setup;
  }

  // Runs to the end; the run's folder.
  RunFolder run(const std::string& name, const RunConfig& config, bool resume = false) {
    const RunFolder folder{root_ / name};
    folder.create();
    const StopSignals signals;
    Trainer trainer(config, setup(config), folder, progress_, signals);
    EXPECT_EQ(resume, resume && trainer.resume());
    EXPECT_EQ(trainer.run(), 0);
    return folder;
  }

  Progress progress_;
};

}  // namespace mica::trainers
