#include "data/prepare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/io/npy.h"
#include "data/prepared_file.h"
#include "data/sha256.h"
#include "tests/data/data_testing.h"

namespace mica::data {
namespace {

constexpr int64_t kRows = 200;

/// The first digits of the shipped sample.
Split digits() {
  TemporaryFolder folder;
  const auto dataset = prepared(prepare_options("mnist", sample_folder(), folder / "a.h5"));
  const Split& train = dataset->split("train");
  Split first;
  const std::span<const uint8_t> x = train.x.as<uint8_t>().first(kRows * 28 * 28);
  first.x = HostTensor::from(x, {kRows, 28, 28, 1});
  first.y = HostTensor::from(train.y.as<int32_t>().first(kRows), {kRows});
  return first;
}

void write_as_idx(const Split& split, const TemporaryFolder& folder) {
  std::string labels;
  for (const int32_t label : split.y.as<int32_t>()) labels += static_cast<char>(label);
  const std::string pixels(reinterpret_cast<const char*>(split.x.bytes.data()),
                           split.x.bytes.size());
  write_file(folder / "train-images-idx3-ubyte", idx_file({kRows, 28, 28}, pixels));
  write_file(folder / "train-labels-idx1-ubyte", idx_file({kRows}, labels));
}

void write_as_png(const Split& split, const TemporaryFolder& folder) {
  for (int64_t row = 0; row < kRows; ++row) {
    const auto at = static_cast<size_t>(row);
    const std::string in_class = folder / std::to_string(split.y.as<int32_t>()[at]);
    std::filesystem::create_directories(in_class);
    write_grey_png(fmt::format("{}/{}.png", in_class, row), split.x.as<uint8_t>().data() + at * 784,
                   28, 28);
  }
}

void write_as_npz(const Split& split, const std::string& path) {
  write_npz(path,
            {{"x", reshape(split.x, {kRows, 28, 28})}, {"y", convert(split.y, Dtype::kInt64)}});
}

TEST(Prepare, GivesEqualSplitsForEqualRowsOfAnyFormat) {
  const Split rows = digits();
  TemporaryFolder idx, png, npz, out;
  write_as_idx(rows, idx);
  write_as_png(rows, png);
  write_as_npz(rows, npz / "a.npz");
  const auto with = [&](const std::string& source, const std::string& path,
                        const std::string& split) {
    PrepareOptions options = prepare_options(source, path, out / (source + ".h5"));
    options.split = split;
    return prepared(options);
  };
  for (const char* split : {"auto", "test=0.3,val=0.2", "test=1"}) {
    const auto a = with("mnist", idx.path(), split), b = with("images", png.path(), split),
               c = with("npz", npz / "a.npz", split);
    ASSERT_EQ(a->split_names(), b->split_names());
    ASSERT_EQ(a->split_names(), c->split_names());
    for (const std::string& name : a->split_names()) {
      EXPECT_EQ(a->split(name).x, b->split(name).x);
      EXPECT_EQ(a->split(name).y, b->split(name).y);
      EXPECT_EQ(a->split(name).x, c->split(name).x);
      EXPECT_EQ(a->split(name).y, c->split(name).y);
    }
    EXPECT_EQ(a->info().mean, b->info().mean);
    EXPECT_EQ(a->info().std, c->info().std);
  }
}

TEST(Prepare, GivesEqualBytes) {
  TemporaryFolder folder;
  for (const char* name : {"a.h5", "b.h5"}) {
    PrepareOptions options = prepare_options("mnist", sample_folder(), folder / name);
    options.split = "test=0.1";
    prepare(options);
  }
  EXPECT_EQ(sha256_of_file(folder / "a.h5"), sha256_of_file(folder / "b.h5"));
  EXPECT_EQ(folder.list().size(), 2u);
}

TEST(Prepare, ReadsTheShippedSample) {
  TemporaryFolder folder;
  const PrepareSummary summary =
      prepare(prepare_options("mnist", sample_folder(), folder / "a.h5"));
  EXPECT_EQ(summary.rows.at("train"), 10000);
  EXPECT_EQ(summary.rows.at("test"), 2000);
  EXPECT_EQ(summary.sample_shape, (Shape{28, 28, 1}));
  EXPECT_NEAR(summary.mean[0], 33.43706632653061, 1e-9);  // numpy's x.mean() and x.std()
  EXPECT_NEAR(summary.std[0], 78.71812935790487, 1e-9);
  EXPECT_EQ(summary.class_counts.at("test"),
            (std::vector<int64_t>{175, 234, 219, 207, 217, 179, 178, 205, 192, 194}));
  EXPECT_EQ(summary.bytes, static_cast<int64_t>(std::filesystem::file_size(folder / "a.h5")));
}

TEST(Prepare, SplitsByShares) {
  TemporaryFolder folder;
  HostTensor x(Dtype::kFloat32, {100, 1});
  HostTensor y(Dtype::kInt32, {100});
  for (size_t i = 0; i < 100; ++i) {
    x.as<float>()[i] = static_cast<float>(i);
    y.as<int32_t>()[i] = i < 70 ? 0 : 1;
  }
  write_npz(folder / "a.npz", {{"x", x}, {"y", y}});
  PrepareOptions options = prepare_options("npz", folder / "a.npz", folder / "a.h5");
  options.split = "test=0.2,val=0.1";
  const PrepareSummary summary = prepare(options);
  EXPECT_EQ(summary.class_counts.at("test"), (std::vector<int64_t>{14, 6}));
  EXPECT_EQ(summary.class_counts.at("val"), (std::vector<int64_t>{7, 3}));
  EXPECT_EQ(summary.class_counts.at("train"), (std::vector<int64_t>{49, 21}));

  std::set<float> seen;
  const auto dataset = Dataset::open(options.out);
  for (const std::string& name : dataset->split_names()) {
    for (const float value : dataset->split(name).x.as<float>()) seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 100u);
  options.seed = 1;
  EXPECT_NE(prepared(options)->split("test").x, dataset->split("test").x);
  options.stratify = false;
  EXPECT_EQ(prepare(options).rows.at("test"), 20);
  options.split = "test=1";
  const auto all = prepared(options);
  EXPECT_EQ(all->split_names(), std::vector<std::string>{"test"});
  EXPECT_TRUE(all->info().mean.empty());
}

TEST(Prepare, KeepsOrCutsOwnSplits) {
  TemporaryFolder folder;
  PrepareOptions options = prepare_options("npz", fixture("data/splits.npz"), folder / "a.h5");
  const auto own = prepared(options);
  EXPECT_EQ(own->split("train").x.as<uint8_t>()[6], 6);  // the source's order
  options.split = "val=0.5";
  const auto cut = prepared(options);
  EXPECT_EQ(cut->rows("train"), 3);
  EXPECT_EQ(cut->rows("val"), 3);
  EXPECT_EQ(cut->split("test").x, own->split("test").x);
  const std::span<const uint8_t> x = cut->split("train").x.as<uint8_t>();
  EXPECT_TRUE(x[0] < x[6] && x[6] < x[12]);  // the order stays
  options.split = "test=0.5";
  EXPECT_EQ(prepare(options).rows, (std::map<std::string, int64_t>{{"test", 5}, {"train", 5}}));
}

TEST(Prepare, SplitsASourceOfOnePart) {
  TemporaryFolder folder;
  write_idx_pair(folder, "t10k", std::string(20, '\x03'));
  PrepareOptions options = prepare_options("mnist", folder.path(), folder / "a.h5");
  const PrepareSummary summary = prepare(options);
  EXPECT_EQ(summary.rows, (std::map<std::string, int64_t>{{"test", 4}, {"train", 16}}));
  EXPECT_EQ(summary.notes[0], "the source has a test split only, which was split anew");
  options.split = "test=1";
  EXPECT_EQ(prepare(options).rows, (std::map<std::string, int64_t>{{"test", 20}}));
}

TEST(Prepare, KeepsTheOldFileWhenItFails) {
  TemporaryFolder folder;
  write_idx_pair(folder, "train", std::string(20, '\x03'));
  const PrepareOptions options = prepare_options("mnist", folder.path(), folder / "a.h5");
  prepare(options);
  const std::vector<std::byte> before = read_file(options.out);
  write_idx_pair(folder, "train", std::string(20, '\x0f'));
  expect_error(ErrorKind::kData, {"label 15"}, [&] { prepare(options); });
  EXPECT_EQ(read_file(options.out), before);
  EXPECT_EQ(folder.list().size(), 3u);
}

TEST(Prepare, ReportsProgress) {
  TemporaryFolder folder;
  std::set<std::string> stages;
  prepare(prepare_options("mnist", sample_folder(), folder / "a.h5"),
          [&](const PrepareProgress& state) { stages.insert(state.stage); });
  EXPECT_EQ(stages, (std::set<std::string>{"reading", "splitting", "writing"}));
}

TEST(Prepare, ChecksItsOptions) {
  const PrepareOptions good = prepare_options("mnist", sample_folder(), "/tmp/never-written.h5");
  const auto expect_usage = [&](auto change, const std::vector<std::string>& pieces) {
    PrepareOptions options = good;
    change(options);
    expect_error(ErrorKind::kUsage, pieces, [&] { prepare(options); });
  };
  expect_usage([](auto& o) { o.source = "mnst"; }, {"unknown source 'mnst'", "mnist", "csv"});
  expect_usage([](auto& o) { o.split = "test=2"; }, {"'2' is no share"});
  expect_usage([](auto& o) { o.split = "test"; }, {"test=0.2,val=0.1"});
  expect_usage([](auto& o) { o.split = "test=0.6,val=0.6"; }, {"more than 1"});
  expect_usage([](auto& o) { o.split = "train=0.6"; }, {"wanted auto"});
  expect_usage([](auto& o) { o.task = "regresion"; }, {"task 'regresion'", "regression"});
  expect_usage([](auto& o) { o.out = ""; }, {"--out"});
  expect_usage([](auto& o) { o.channels = 2; }, {"channels 2"});
  PrepareOptions nowhere = good;
  nowhere.out = "/nowhere/at/all.h5";
  expect_error(ErrorKind::kData, {"/nowhere/at/all.h5", "no folder"}, [&] { prepare(nowhere); });
}

TEST(Dataset, OpensPreparedFilesOfH5py) {
  const auto dataset = Dataset::open(fixture("data/prepared.h5"));
  EXPECT_EQ(dataset->split_names(), (std::vector<std::string>{"train", "test"}));
  EXPECT_EQ(dataset->info().mean, std::vector<double>{17.5});
  EXPECT_EQ(dataset->split("test").y, HostTensor::from<int32_t>({0, 1, 2, 0}, {4}));
  EXPECT_EQ(dataset->fingerprint().size(), 64u);
}

TEST(Dataset, TellsPreparedFiles) {
  EXPECT_TRUE(Dataset::is_prepared(fixture("data/prepared.h5")));
  EXPECT_FALSE(Dataset::is_prepared(fixture("data/keras.h5")));
  EXPECT_FALSE(Dataset::is_prepared(fixture("data/images.npz")));
  EXPECT_FALSE(Dataset::is_prepared(fixture("data")));
  EXPECT_FALSE(Dataset::is_prepared(fixture("none")));
}

TEST(Dataset, SaysWhatIsWrong) {
  TemporaryFolder folder;
  expect_error(ErrorKind::kData, {"keras.h5", "no prepared data set", "mica prepare hdf5"},
               [] { Dataset::open(fixture("data/keras.h5")); });
  expect_error(ErrorKind::kData, {"none.h5", "no such file"},
               [&] { Dataset::open(folder / "none.h5"); });
  std::vector<std::byte> half = read_file(fixture("data/prepared.h5"));
  half.resize(half.size() / 2);
  write_file(folder / "half.h5", half);
  expect_error(ErrorKind::kData, {"half.h5", "cut off"},
               [&] { Dataset::open(folder / "half.h5"); });

  DatasetInfo info;
  info.class_names = {"a", "b"};
  const auto expect_bad = [&](const Split& split, const std::vector<std::string>& pieces) {
    write_prepared(folder / "bad.h5", info, {{"train", split}});
    expect_error(ErrorKind::kData, pieces,
                 [&] { Dataset::open(folder / "bad.h5")->split("train"); });
  };
  const HostTensor x(Dtype::kFloat32, {2, 3});
  expect_bad({x, HostTensor(Dtype::kInt32, {3})}, {"bad.h5", "(2, 3)", "(3,)"});
  expect_bad({x, HostTensor(Dtype::kInt64, {2})}, {"bad.h5", "int64", "wanted int32"});
  expect_bad({x, HostTensor::from<int32_t>({0, 2}, {2})}, {"bad.h5: /train/y: label 2 in row 1"});
  expect_bad({HostTensor(Dtype::kFloat64, {2, 3}), HostTensor(Dtype::kInt32, {2})},
             {"float64", "wanted uint8 or float32"});
  expect_bad({HostTensor(Dtype::kFloat32, {0, 3}), HostTensor(Dtype::kInt32, {0})},
             {"bad.h5", "the data set is empty"});
}

}  // namespace
}  // namespace mica::data
