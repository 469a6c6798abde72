// Orders of epochs, and splits that are read from the file row by row.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <numeric>

#include "core/io/hdf5.h"
#include "core/runtime/parallel.h"
#include "data/epoch_order.h"
#include "data/loader.h"
#include "data/prepared_file.h"
#include "data/sampler.h"
#include "tests/data/augment_testing.h"

namespace mica::data {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

TEST(EpochOrder, OfSmallDataIsAPermutationOfAll) {
  EpochOrder order(1000, 3072, true, 5, 3);
  EXPECT_EQ(order.rows(0, 1000), permutation(1000, 5, 3));
  EpochOrder in_file_order(1000, 3072, false, 5, 3);
  std::vector<int64_t> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(in_file_order.rows(0, 1000), expected);
}

// 20,003 rows of 100 KiB: 2,001 blocks of 10 rows, the last one of 3, in 8 windows.
TEST(EpochOrder, OfLargeDataVisitsEveryRowOnceAndIsFoundAtAnyPosition) {
  const int64_t count = 20003, bytes = 100 << 10;
  EpochOrder order(count, bytes, true, 7, 2);
  EXPECT_EQ(order.blocks(), 2001);
  const std::vector<int64_t> all = order.rows(0, count);
  std::vector<int64_t> sorted = all, expected(static_cast<size_t>(count));
  std::sort(sorted.begin(), sorted.end());
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(sorted, expected);
  for (const int64_t begin :
       {int64_t{0}, int64_t{2555}, int64_t{2560}, int64_t{12345}, count - 7}) {
    EpochOrder fresh(count, bytes, true, 7, 2);
    const int64_t size = std::min<int64_t>(700, count - begin);
    EXPECT_EQ(fresh.rows(begin, size),
              std::vector<int64_t>(all.begin() + begin, all.begin() + begin + size));
  }
  EXPECT_NE(EpochOrder(count, bytes, true, 7, 3).rows(0, 100), order.rows(0, 100));
  EXPECT_NE(EpochOrder(count, bytes, true, 8, 2).rows(0, 100), order.rows(0, 100));
}

TEST(EpochOrder, AsksForBlocksBeforeTheyAreRead) {
  const int64_t count = 20003, bytes = 100 << 10;
  EpochOrder order(count, bytes, true, 1, 0);
  const std::vector<int64_t> all = order.rows(0, count);
  std::vector<int64_t> place(2001);  // of a block in the order
  for (int64_t i = 0; i < 2001; ++i) place[static_cast<size_t>(order.block(i).first / 10)] = i;
  for (int64_t position = 0; position < count; position += 97) {
    const int64_t block = place[static_cast<size_t>(all[static_cast<size_t>(position)] / 10)];
    EXPECT_LT(block, order.blocks_wanted(position));
    EXPECT_GE(block, order.first_block_of_window(position));
    EXPECT_LE(order.blocks_wanted(position), order.first_block_of_window(position) + 512);
  }
}

TEST(EpochOrder, MixesAFileThatIsSortedByClass) {
  const int64_t count = 40960, bytes = 100 << 10;  // 4,096 blocks, 16 windows
  EpochOrder order(count, bytes, true, 0, 0);
  for (int64_t window = 0; window < 16; ++window) {
    int64_t first_class = 0;
    for (const int64_t row : order.rows(window * 2560, 2560)) first_class += row < count / 10;
    // Five deviations of a share of a tenth among 256 blocks.
    EXPECT_NEAR(static_cast<double>(first_class) / 2560, 0.1, 5 * std::sqrt(0.09 / 256));
  }
}

TEST(EpochOrder, BoundsItsMemoryWhereRowsAreSmall) {
  EpochOrder order((int64_t{1} << 24) + 1, 4, true, 0, 0);
  EXPECT_EQ(order.block(0).second, 4096);
  EXPECT_EQ(order.rows((int64_t{1} << 24) - 5, 6).size(), 6u);
}

class Streaming : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = pictures(500);
    Split val = made->split("train");
    write_prepared(file_, made->info(), {{"train", made->split("train")}, {"val", val}});
  }
  void TearDown() override { set_threads(0); }

  TemporaryFolder folder_;
  std::string file_ = folder_ / "data.h5";
};

TEST_F(Streaming, LoadsTheSameBits) {
  const auto in_memory = Dataset::open(file_, Cache::kRam);
  const auto in_file = Dataset::open(file_, Cache::kNone);
  EXPECT_EQ(in_memory->file_rows("train"), nullptr);
  ASSERT_NE(in_file->file_rows("train"), nullptr);
  EXPECT_EQ(Dataset::open(file_)->file_rows("train"), nullptr);  // small
  EXPECT_EQ(in_memory->fingerprint(), in_file->fingerprint());
  for (const bool shuffle : {false, true}) {
    for (const int threads : {1, 4}) {
      set_threads(threads);
      LoaderOptions options = {.batch_size = 33, .shuffle = shuffle, .seed = 2};
      options.prefetch = threads == 1 ? 0 : 3;
      options.normalization = normalization(*in_file, "channel");
      if (shuffle) options.augment = {step("pad_crop"), step("flip")};
      Loader first(in_memory, "train", options), second(in_file, "train", options);
      for (const auto& [epoch, batch] : {std::pair(0, 0), std::pair(1, 0), std::pair(1, 9)}) {
        first.start(epoch, batch);
        second.start(epoch, batch);
        while (const std::optional<HostBatch> expected = first.next_host()) {
          const std::optional<HostBatch> got = second.next_host();
          ASSERT_TRUE(got.has_value());
          EXPECT_EQ(got->x, expected->x);
          EXPECT_EQ(got->y, expected->y);
          EXPECT_EQ(got->rows, expected->rows);
        }
        EXPECT_FALSE(second.next_host().has_value());
      }
    }
  }
}

TEST_F(Streaming, ReadsFloatsAndTargets) {
  const auto made = synthetic_regression(300, 7).dataset;
  const std::string path = folder_ / "regression.h5";
  write_prepared(path, made->info(), {{"train", made->split("train")}});
  Loader first(made, "train", {.batch_size = 64}),
      second(Dataset::open(path, Cache::kNone), "train", {.batch_size = 64});
  for (int i = 0; i < 5; ++i) {
    const HostBatch expected = *first.next_host(), got = *second.next_host();
    EXPECT_EQ(got.x, expected.x);
    EXPECT_EQ(got.y, expected.y);
  }
}

TEST_F(Streaming, NoticesAFileThatIsCutShort) {
  const auto dataset = Dataset::open(file_, Cache::kNone);
  Loader loader(dataset, "val", {.batch_size = 500, .prefetch = 0});
  std::filesystem::resize_file(file_, 20000);
  expect_error(ErrorKind::kData, {"data.h5", "cut short"}, [&] { loader.next_host(); });
}

TEST_F(Streaming, KeepsReadingAFileThatIsReplaced) {
  const auto dataset = Dataset::open(file_, Cache::kNone);
  const auto in_memory = Dataset::open(file_, Cache::kRam);
  Loader loader(dataset, "train", {.batch_size = 500});
  const HostTensor expected = Loader(in_memory, "train", {.batch_size = 500}).next_host()->x;
  write_prepared(file_, dataset->info(), {{"train", pictures(1)->split("train")}});
  EXPECT_EQ(loader.next_host()->x, expected);
}

// Written by h5py, without Mica's seal.
TEST(FileRows, ReadsFilesOfOthersThatAreInOnePiece) {
  const std::string path = fixture("data/keras.h5");
  const HostTensor expected = Hdf5Reader(path).read("x_train");
  const FileRows rows(path, "x_train", 6, 6);
  std::vector<std::byte> bytes(24);
  rows.will_need(1, 4);
  rows.read(1, bytes);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), expected.bytes.begin() + 6));

  const std::string others = fixture("io/h5py.h5");
  EXPECT_TRUE(FileRows::can_read(others, "types/float32"));
  for (const std::string name : {"chunked", "empty", "texts"}) {
    EXPECT_FALSE(FileRows::can_read(others, name)) << name;
  }
  expect_error(ErrorKind::kData, {"h5py.h5", "chunked", "in one piece", "data.cache: ram"},
               [&] { FileRows(others, "chunked", 100, 40); });
  expect_error(ErrorKind::kData, {"keras.h5", "more than the file has"},
               [&] { FileRows(path, "x_train", int64_t{1} << 40, 6); });
  expect_error(ErrorKind::kData, {"keras.h5", "nothing"},
               [&] { FileRows::can_read(path, "nothing"); });
}

TEST(FileRows, ServeAPreparedFileOfOthers) {
  const std::string path = fixture("data/prepared.h5");
  const auto in_memory = Dataset::open(path, Cache::kRam),
             in_file = Dataset::open(path, Cache::kNone);
  Loader first(in_memory, "train", {.batch_size = 4}), second(in_file, "train", {.batch_size = 4});
  while (const std::optional<HostBatch> batch = first.next_host()) {
    EXPECT_EQ(second.next_host()->x, batch->x);
  }
}

TEST(Cache, IsNamed) {
  EXPECT_EQ(cache_named("auto"), Cache::kAuto);
  EXPECT_EQ(cache_named("ram"), Cache::kRam);
  EXPECT_EQ(cache_named("none"), Cache::kNone);
  expect_error(ErrorKind::kUsage, {"'disk'", "auto, ram or none"}, [] { cache_named("disk"); });
}

}  // namespace
}  // namespace mica::data
