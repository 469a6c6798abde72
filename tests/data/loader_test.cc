#include "data/loader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/runtime/parallel.h"
#include "tests/core/io_testing.h"

namespace mica::data {
namespace {

/// `rows` images of 2 x 2 x 3 whose bytes count up, labels row % 3.
std::shared_ptr<const Dataset> counting_images(int64_t rows) {
  Split split;
  split.x = HostTensor(Dtype::kUint8, {rows, 2, 2, 3});
  split.y = HostTensor(Dtype::kInt32, {rows});
  for (size_t i = 0; i < split.x.bytes.size(); ++i) {
    split.x.as<uint8_t>()[i] = static_cast<uint8_t>(i);
  }
  for (size_t i = 0; i < static_cast<size_t>(rows); ++i) {
    split.y.as<int32_t>()[i] = static_cast<int32_t>(i % 3);
  }
  DatasetInfo info;
  info.class_names = {"a", "b", "c"};
  info.mean = {10, 20, 30};
  info.std = {2, 4, 0};
  return Dataset::from_memory(info, {{"train", split}});
}

std::vector<HostBatch> epoch_of(Loader& loader, int64_t epoch, int64_t start = 0) {
  loader.start(epoch, start);
  std::vector<HostBatch> batches;
  while (std::optional<HostBatch> batch = loader.next_host()) batches.push_back(std::move(*batch));
  return batches;
}

bool same(const std::vector<HostBatch>& a, const std::vector<HostBatch>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.x == y.x && x.y == y.y && x.rows == y.rows;
  });
}

TEST(Loader, KeepsOrShortensTheLastBatch) {
  const auto dataset = counting_images(10);
  Loader all(dataset, "train", {.batch_size = 4});
  const std::vector<HostBatch> batches = epoch_of(all, 0);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(all.batches(), 3);
  EXPECT_EQ(all.examples(), 10);
  EXPECT_EQ(batches[2].x.shape, (Shape{2, 2, 2, 3}));
  EXPECT_EQ(batches[2].rows, (std::vector<int64_t>{8, 9}));
  EXPECT_EQ(batches[2].y, HostTensor::from<int32_t>({2, 0}, {2}));
  Loader whole(dataset, "train", {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(epoch_of(whole, 0).size(), 2u);
  EXPECT_EQ(whole.examples(), 8);
}

TEST(Loader, VisitsEveryRowOnceAnEpoch) {
  Loader loader(counting_images(103), "train", {.batch_size = 10, .shuffle = true, .seed = 5});
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> rows;
    for (const HostBatch& batch : epoch_of(loader, epoch)) {
      rows.insert(rows.end(), batch.rows.begin(), batch.rows.end());
      for (size_t i = 0; i < batch.rows.size(); ++i) {
        EXPECT_EQ(batch.y.as<int32_t>()[i], batch.rows[i] % 3);
        EXPECT_EQ(batch.x.as<float>()[i * 12], static_cast<float>(batch.rows[i] * 12 % 256));
      }
    }
    std::sort(rows.begin(), rows.end());
    std::vector<int64_t> expected(103);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(rows, expected);
  }
}

TEST(Loader, GivesTheSameBatchesForAnyThreadsAndPrefetch) {
  const auto dataset = counting_images(5000);
  LoaderOptions options = {.batch_size = 3000, .shuffle = true, .seed = 1, .prefetch = 0};
  set_threads(1);
  Loader reference(dataset, "train", options);
  const std::vector<HostBatch> first = epoch_of(reference, 0), second = epoch_of(reference, 1);
  EXPECT_FALSE(same(first, second));
  for (const int threads : {1, 2, 4}) {
    set_threads(threads);
    for (const int64_t prefetch : {0, 1, 2, 7}) {
      options.prefetch = prefetch;
      Loader loader(dataset, "train", options);
      EXPECT_TRUE(same(epoch_of(loader, 0), first));
      EXPECT_TRUE(same(epoch_of(loader, 1), second));
    }
  }
  set_threads(0);
}

TEST(Loader, GoesOnWhereItStopped) {
  const auto dataset = counting_images(100);
  const LoaderOptions options = {.batch_size = 8, .shuffle = true, .seed = 9};
  Loader through(dataset, "train", options);
  epoch_of(through, 0);
  std::vector<HostBatch> expected = epoch_of(through, 3);
  expected.erase(expected.begin(), expected.begin() + 5);

  Loader stopped(dataset, "train", options);
  stopped.start(3);
  for (int i = 0; i < 5; ++i) stopped.next_host();
  EXPECT_EQ(stopped.epoch(), 3);
  EXPECT_EQ(stopped.position(), 5);
  Loader resumed(dataset, "train", options);
  EXPECT_TRUE(same(epoch_of(resumed, stopped.epoch(), stopped.position()), expected));
  resumed.start(3, resumed.batches());
  EXPECT_FALSE(resumed.next_host().has_value());
}

TEST(Loader, NormalisesByChannel) {
  const auto dataset = counting_images(2);
  const auto first_pixel = [&](const std::string& kind) {
    Loader loader(dataset, "train",
                  {.batch_size = 2, .normalization = normalization(*dataset, kind)});
    const HostBatch batch = *loader.next_host();
    const std::span<const float> x = batch.x.as<float>();
    return std::vector<float>(x.begin() + 12, x.begin() + 15);  // row 1: bytes 12, 13, 14
  };
  EXPECT_EQ(first_pixel("none"), (std::vector<float>{12, 13, 14}));
  EXPECT_EQ(first_pixel("unit"), (std::vector<float>{12 / 255.f, 13 / 255.f, 14 / 255.f}));
  // (12 - 10) / 2, (13 - 20) / 4, (14 - 30) / 1, as a deviation of 0 counts as 1.
  EXPECT_EQ(first_pixel("channel"), (std::vector<float>{1, -1.75, -16}));
}

TEST(Loader, GivesExamplesAsTheirOwnTargets) {
  const auto stored = counting_images(6);
  const auto dataset = Dataset::reconstructing(stored);
  EXPECT_EQ(dataset->info().task, Task::kRegression);
  EXPECT_EQ(dataset->target_shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(&dataset->split("train"), &stored->split("train"));
  EXPECT_NE(dataset->fingerprint(), stored->fingerprint());
  LoaderOptions options = {.batch_size = 4, .normalization = normalization(*dataset, "channel")};
  EXPECT_EQ(options.normalization.target_mean, options.normalization.mean);
  EXPECT_EQ(options.normalization.target_std, options.normalization.std);
  const HostBatch plain = *Loader(stored, "train", options).next_host();
  for (const char* augmentation : {"", "flip", "mixup"}) {
    options.augment.clear();
    if (*augmentation) {
      options.augment.push_back({augmentation, find_row(augment_rows(), augmentation)->make()});
    }
    Loader loader(dataset, "train", options);
    const HostBatch host = *loader.next_host();
    EXPECT_EQ(host.x == plain.x, !*augmentation);
    EXPECT_EQ(host.y, host.x);
    loader.start(0);
    const Batch batch = *loader.next();
    EXPECT_EQ(to_host(batch.y), host.x);
    EXPECT_EQ(batch.second_y.has_value(), host.second_y.has_value());
    EXPECT_EQ(host.second_y.has_value(), std::string(augmentation) == "mixup");
    if (batch.second_y) {
      EXPECT_EQ(to_host(*batch.second_y), host.x);
    }
  }
}

TEST(Loader, NormalisesFeaturesAndTargets) {
  const SyntheticRegression synthetic = synthetic_regression(500, 4, 0.1, 3);
  const Dataset& dataset = *synthetic.dataset;
  Loader loader(synthetic.dataset, "train",
                {.batch_size = 500, .normalization = normalization(dataset, "feature", true)});
  const HostBatch batch = *loader.next_host();
  for (const auto& [tensor, columns] : {std::pair(batch.x, 4u), std::pair(batch.y, 1u)}) {
    for (size_t column = 0; column < columns; ++column) {
      double sum = 0, squares = 0;
      for (size_t row = 0; row < 500; ++row) {
        const double value = tensor.as<float>()[row * columns + column];
        sum += value;
        squares += value * value;
      }
      EXPECT_NEAR(sum / 500, 0, 1e-5);
      EXPECT_NEAR(squares / 500, 1, 1e-5);
    }
  }
}

TEST(Loader, BatchesAreArrays) {
  Loader loader(counting_images(5), "train", {.batch_size = 4});
  const Batch batch = *loader.next();
  EXPECT_EQ(batch.x.shape(), (Shape{4, 2, 2, 3}));
  EXPECT_EQ(batch.x.dtype(), float32);
  EXPECT_EQ(batch.y.to_vector<int32_t>(), (std::vector<int32_t>{0, 1, 2, 0}));
  EXPECT_EQ(batch.number, 0);
  EXPECT_EQ(loader.next()->number, 1);
  EXPECT_FALSE(loader.next().has_value());
}

TEST(Loader, SaysWhatIsWrong) {
  const auto dataset = counting_images(10);
  expect_error(ErrorKind::kUsage, {"batch_size 0"},
               [&] { Loader(dataset, "train", {.batch_size = 0}); });
  expect_error(ErrorKind::kUsage, {"drop_last", "20", "10 rows"},
               [&] { Loader(dataset, "train", {.batch_size = 20, .drop_last = true}); });
  expect_error(ErrorKind::kData, {"no split 'test'", "train"},
               [&] { Loader(dataset, "test", {}); });
  expect_error(ErrorKind::kUsage, {"2 means", "has 3"}, [&] {
    Loader(dataset, "train", {.normalization = {{1, 2}, {1, 2}, {}, {}}});
  });
  expect_error(ErrorKind::kUsage, {"'minmax'"}, [&] { normalization(*dataset, "minmax"); });
  expect_error(ErrorKind::kUsage, {"batch 4", "3 batches"},
               [&] { Loader(dataset, "train", {.batch_size = 4}).start(0, 4); });
  Split test;
  test.x = HostTensor(Dtype::kFloat32, {2, 3});
  test.y = HostTensor(Dtype::kInt32, {2});
  DatasetInfo info;
  info.class_names = {"a"};
  const auto untrained = Dataset::from_memory(info, {{"test", test}});
  expect_error(ErrorKind::kData, {"no training split"},
               [&] { normalization(*untrained, "feature"); });
}

TEST(Dataset, RefusesLabelsOutOfRange) {
  Split split;
  split.x = HostTensor(Dtype::kFloat32, {2, 3});
  split.y = HostTensor::from<int32_t>({0, 2}, {2});
  DatasetInfo info;
  info.class_names = {"a", "b"};
  expect_error(ErrorKind::kData, {"label 2 in row 1", "0 ... 1"}, [&] {
    Dataset::from_memory(info, {{"train", split}});
  });
}

TEST(SyntheticRegression, IsLinearUpToItsNoise) {
  const SyntheticRegression synthetic = synthetic_regression(1000, 100, 0.01, 4);
  const Split& train = synthetic.dataset->split("train");
  EXPECT_EQ(train.x.shape, (Shape{1000, 100}));
  EXPECT_EQ(train.y.shape, (Shape{1000, 1}));
  const std::span<const float> w = synthetic.weights.as<float>();
  double squares = 0;
  for (size_t row = 0; row < 1000; ++row) {
    double value = train.y.as<float>()[row];
    for (size_t i = 0; i < 100; ++i)
      value -= static_cast<double>(train.x.as<float>()[row * 100 + i]) * w[i];
    squares += value * value;
  }
  EXPECT_NEAR(std::sqrt(squares / 1000), 0.01, 0.001);
  EXPECT_NE(synthetic.weights, synthetic_regression(1000, 100, 0.01, 5).weights);
  EXPECT_EQ(synthetic.dataset->fingerprint(),
            synthetic_regression(1000, 100, 0.01, 4).dataset->fingerprint());
}

}  // namespace
}  // namespace mica::data
