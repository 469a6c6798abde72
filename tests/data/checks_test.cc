// What `prepare` looks after beyond reading: splits that stay, rows that repeat, damaged files.
#include <gmock/gmock.h>

#include <algorithm>

#include "core/io/npy.h"
#include "data/duplicates.h"
#include "data/split.h"
#include "tests/data/data_testing.h"

namespace mica::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Rows of one number, 0, 1, 2, ..., of two classes.
void write_numbers(const std::string& path, int64_t count) {
  HostTensor x(Dtype::kFloat32, {count, 1});
  HostTensor y(Dtype::kInt32, {count});
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    x.as<float>()[i] = static_cast<float>(i);
    y.as<int32_t>()[i] = static_cast<int32_t>(i % 2);
  }
  write_npz(path, {{"x", x}, {"y", y}});
}

std::vector<float> values(const std::shared_ptr<const Dataset>& dataset, const std::string& split) {
  if (!dataset->has(split)) return {};
  const std::span<const float> x = dataset->split(split).x.as<float>();
  return {x.begin(), x.end()};
}

bool is_subset(std::vector<float> part, std::vector<float> whole) {
  std::sort(part.begin(), part.end());
  std::sort(whole.begin(), whole.end());
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

TEST(SplitByHash, KeepsRowsWhereTheyAreWhenOthersCome) {
  TemporaryFolder folder;
  write_numbers(folder / "few.npz", 2000);
  write_numbers(folder / "more.npz", 3000);
  PrepareOptions few = prepare_options("npz", folder / "few.npz", folder / "few.h5");
  PrepareOptions more = prepare_options("npz", folder / "more.npz", folder / "more.h5");
  few.split = more.split = "hash,test=0.2,val=0.1";
  const auto before = prepared(few), after = prepared(more);
  EXPECT_EQ(before->info().split_method, "by hash of the row: test=0.2, val=0.1");
  for (const char* split : {"train", "val", "test"}) {
    EXPECT_TRUE(is_subset(values(before, split), values(after, split))) << split;
  }
  // The shares are about what was asked for: within four deviations of a binomial.
  EXPECT_NEAR(before->rows("test"), 400, 72);
  EXPECT_NEAR(before->rows("val"), 200, 54);
  // A greater val takes from train, not from test.
  few.split = "hash,test=0.2,val=0.3";
  const auto greater = prepared(few);
  EXPECT_EQ(values(greater, "test"), values(before, "test"));
  EXPECT_TRUE(is_subset(values(before, "val"), values(greater, "val")));
  few.seed = 1;
  EXPECT_NE(values(prepared(few), "test"), values(before, "test"));
  few.split = "hash";
  EXPECT_EQ(prepared(few)->info().split_method, "by hash of the row: test=0.2, val=0");
}

TEST(SplitByHash, DoesNotDependOnCategoriesThatOtherRowsBring) {
  TemporaryFolder folder;
  std::string csv = "size,colour,kind\n";
  for (int i = 0; i < 300; ++i) {
    csv += fmt::format("{},{},{}\n", i, i % 3 == 0 ? "red" : "blue", i % 2 == 0 ? "q" : "r");
  }
  write_file(folder / "few.csv", csv);
  write_file(folder / "more.csv", csv + "5000,amber,a\n5001,,q\n");
  const auto sizes_of = [&](const std::string& name) {
    PrepareOptions options = prepare_options("csv", folder / name, folder / "out.h5");
    options.target = {"kind"};
    options.split = "hash,test=0.3";
    const auto dataset = prepared(options);
    const HostTensor& x = dataset->split("test").x;
    std::vector<float> sizes;
    for (int64_t row = 0; row < x.rows(); ++row) {
      sizes.push_back(x.as<float>()[static_cast<size_t>(row * x.shape[1])]);
    }
    return sizes;
  };
  EXPECT_GT(sizes_of("few.csv").size(), 50u);
  EXPECT_TRUE(is_subset(sizes_of("few.csv"), sizes_of("more.csv")));
}

TEST(SplitByHash, CutsValOutOfTheSourcesOwnTrainingSplit) {
  TemporaryFolder folder;
  PrepareOptions options = prepare_options("mnist", sample_folder(), folder / "a.h5");
  options.split = "hash,val=0.1";
  const auto dataset = prepared(options);
  EXPECT_EQ(dataset->rows("test"), 2000);
  EXPECT_NEAR(dataset->rows("val"), 1000, 120);
  EXPECT_EQ(dataset->rows("val") + dataset->rows("train"), 10000);
}

TEST(SplitByColumn, PutsRowsWhereTheColumnSays) {
  TemporaryFolder folder;
  write_file(folder / "a.csv", "a,fold,kind\n1,train,x\n2,Test,y\n3,validation,x\n4,TRAIN,y\n");
  PrepareOptions options = prepare_options("csv", folder / "a.csv", folder / "a.h5");
  options.target = {"kind"};
  options.split = "column=fold";
  const auto dataset = prepared(options);
  EXPECT_EQ(values(dataset, "train"), (std::vector<float>{1, 4}));
  EXPECT_EQ(values(dataset, "val"), std::vector<float>{3});
  EXPECT_EQ(values(dataset, "test"), std::vector<float>{2});
  EXPECT_EQ(dataset->info().feature_names, std::vector<std::string>{"a"});
  EXPECT_EQ(dataset->info().split_method, "by column fold");

  write_file(folder / "one.csv", "a,fold,kind\n1,train,x\n2,train,y\n");  // one split is enough
  options.path = folder / "one.csv";
  EXPECT_EQ(prepared(options)->rows("train"), 2);

  const PrepareOptions bad = [&] {
    PrepareOptions copy = options;
    copy.out = folder / "bad.h5";
    return copy;
  }();
  write_file(folder / "one.csv", "a,fold,kind\n1,train,x\n2,tran,y\n");
  expect_bad_data(bad, {"one.csv:3:3: 'tran' is no split", "train, val or test"});
  PrepareOptions other = bad;
  other.split = "column=nope";
  expect_error(ErrorKind::kUsage, {"split column 'nope' is no column", "a, fold, kind"},
               [&] { prepare(other); });
  other = prepare_options("mnist", sample_folder(), folder / "bad.h5");
  other.split = "column=fold";
  expect_error(ErrorKind::kUsage, {"only a CSV file has columns"}, [&] { prepare(other); });
}

TEST(SplitText, NamesMethodsAndShares) {
  EXPECT_EQ(parse_split("random,test=0.5").method, SplitRequest::Method::kRandom);
  EXPECT_EQ(parse_split("stratified").method, SplitRequest::Method::kStratified);
  EXPECT_EQ(parse_split("column=a,b").column, "a,b");
  for (const char* bad : {"", "hash,hash", "test=0.1,hash", "column=", "hsah,test=0.1",
                          "hash,test=2", "hash,test=0.6,val=0.6", "test", "test=0.1,test=0.1"}) {
    expect_error(ErrorKind::kUsage, {fmt::format("split '{}'", bad)}, [&] { parse_split(bad); });
  }
  TemporaryFolder folder;
  write_file(folder / "a.csv", "a,b\n1,0.5\n2,0.25\n3,0.125\n");
  PrepareOptions options = prepare_options("csv", folder / "a.csv", folder / "a.h5");
  options.target = {"b"};
  options.split = "stratified,test=0.5";
  expect_error(ErrorKind::kUsage, {"stratified needs classes"}, [&] { prepare(options); });
}

Split split_of(const std::vector<float>& x, const std::vector<int32_t>& y) {
  const auto rows = static_cast<int64_t>(x.size());
  return {HostTensor::from(x, {rows, 1}), HostTensor::from(y, {rows})};
}

TEST(Duplicates, AreFoundWithinAndAcrossSplits) {
  std::map<std::string, Split> splits;
  splits["train"] = split_of({1, 2, 1, 3, 1, 4}, {0, 0, 0, 0, 1, 0});
  splits["test"] = split_of({2, 5, 5, 6}, {0, 0, 0, 0});
  const DuplicateReport report = find_duplicates(splits);
  EXPECT_EQ(report.groups, 3);
  EXPECT_EQ(report.extra, 4);
  EXPECT_EQ(report.within, (std::map<std::string, int64_t>{{"train", 2}, {"test", 1}}));
  EXPECT_EQ(report.shared, (std::map<std::string, int64_t>{{"train, test", 1}}));
  EXPECT_EQ(report.contradictions, 1);
  ASSERT_EQ(report.examples.size(), 3u);
  EXPECT_EQ(report.examples[0][0].split, "train");  // across splits first
  EXPECT_EQ(report.examples[0][0].row, 1);
  EXPECT_EQ(report.examples[0][1].split, "test");
  EXPECT_EQ(report.examples[1][2].label, 1);
  splits["test"] = split_of({7}, {0});
  splits["train"] = split_of({1, 2}, {0, 0});
  EXPECT_EQ(find_duplicates(splits).groups, 0);
}

TEST(Duplicates, AreDroppedFromTrainingFirst) {
  SourceData data;
  data.splits["train"] = split_of({1, 2, 1, 3, 1, 4}, {0, 0, 0, 0, 1, 0});
  data.splits["val"] = split_of({3, 9}, {0, 0});
  data.splits["test"] = split_of({2, 5, 5, 6}, {0, 0, 0, 0});
  EXPECT_EQ(drop_duplicates(data), 4);
  EXPECT_EQ(data.splits["train"].x, HostTensor::from<float>({1, 1, 4}, {3, 1}));
  EXPECT_EQ(data.splits["train"].y, HostTensor::from<int32_t>({0, 1, 0}, {3}));
  EXPECT_EQ(data.splits["val"].rows(), 2);
  EXPECT_EQ(data.splits["test"].x, HostTensor::from<float>({2, 5, 6}, {3, 1}));
  EXPECT_EQ(find_duplicates(data.splits).contradictions, 1);  // not ours to decide
  EXPECT_EQ(drop_duplicates(data), 0);
}

TEST(Duplicates, AreReportedByPrepare) {
  TemporaryFolder folder;
  write_file(folder / "a.csv", "a,kind\n1,x\n1,x\n2,y\n2,y\n3,x\n4,y\n5,x\n6,y\n");
  PrepareOptions options = prepare_options("csv", folder / "a.csv", folder / "a.h5");
  options.target = {"kind"};
  PrepareSummary summary = prepare(options);
  EXPECT_EQ(summary.duplicates.groups, 2);
  EXPECT_EQ(summary.duplicates.dropped, 0);
  EXPECT_EQ(summary.rows.at("train") + summary.rows.at("test"), 8);
  options.drop_duplicates = true;
  options.split = "hash,test=0.5";
  summary = prepare(options);
  EXPECT_EQ(summary.duplicates.groups, 0);
  EXPECT_EQ(summary.duplicates.dropped, 2);
  int64_t rows = 0;
  for (const auto& [split, count] : summary.rows) rows += count;
  EXPECT_EQ(rows, 6);
}

TEST(CorruptFiles, AreListedOrSkipped) {
  TemporaryFolder folder, out;
  const auto copy = [&](const std::string& image, const std::string& to, size_t bytes) {
    std::filesystem::create_directories(std::filesystem::path(folder / to).parent_path());
    const std::vector<std::byte> whole = read_file(fixture("data/images/" + image));
    write_file(folder / to, std::span(whole).first(std::min(bytes, whole.size())));
  };
  for (int i = 0; i < 6; ++i) copy("grey.png", fmt::format("cat/{}.png", i), 10000);
  copy("grey16.png", "dog/a.png", 10000);
  PrepareOptions options = prepare_options("images", folder.path(), out / "a.h5");
  options.split = "test=0.2";
  EXPECT_TRUE(prepare(options).corrupt.empty());
  const auto whole = Dataset::open(options.out);

  options.out = out / "b.h5";
  copy("grey.png", "cat/half.png", 70);  // its header is whole
  copy("grey.png", "cat/empty.png", 0);
  copy("rgb.jpg", "dog/head.jpg", 30);
  write_file(folder / "dog/page.png", "<html>404</html>");
  expect_bad_data(
      options, {folder.path() + ": 4 of 11 pictures are damaged (--skip-corrupt goes on without)",
                "\n  cat/empty.png: is empty", "\n  cat/half.png: damaged PNG",
                "\n  dog/head.jpg: damaged JPEG", "\n  dog/page.png: is no PNG or JPEG file"});
  options.skip_corrupt = true;
  const PrepareSummary summary = prepare(options);
  ASSERT_EQ(summary.corrupt.size(), 4u);
  EXPECT_EQ(summary.corrupt[0].path, "cat/empty.png");
  EXPECT_THAT(summary.corrupt[0].reason, HasSubstr("is empty"));
  EXPECT_THAT(summary.notes, testing::Contains("4 damaged files skipped"));
  // What is left is what was there before.
  EXPECT_EQ(Dataset::open(options.out)->fingerprint(), whole->fingerprint());

  for (int i = 0; i < 9; ++i) copy("grey.png", fmt::format("cat/z{}.png", i), 70);
  options.skip_corrupt = false;
  options.out = out / "c.h5";
  expect_bad_data(options, {"13 of 20 pictures", "and 3 more"});
}

TEST(PreparedFile, IsRefusedWhenItIsDamaged) {
  TemporaryFolder folder;
  write_numbers(folder / "a.npz", 100);
  const PrepareOptions options = prepare_options("npz", folder / "a.npz", folder / "a.h5");
  prepare(options);
  const std::vector<std::byte> whole = read_file(options.out);
  constexpr size_t kSeal = 64;  // at most: without one, the file is read as anybody's
  for (size_t at = 0; at + kSeal < whole.size(); at += whole.size() / 23) {
    std::vector<std::byte> damaged = whole;
    damaged[at] ^= std::byte{0x10};
    write_file(options.out, damaged);
    expect_error(ErrorKind::kData, {"a.h5"}, [&] {
      for (const char* split : {"train", "test"}) Dataset::open(options.out)->split(split);
    });
  }
  write_file(options.out, std::span(whole).first(whole.size() / 2));
  expect_error(ErrorKind::kData, {"a.h5"}, [&] { Dataset::open(options.out); });
}

TEST(Statistics, CoverEverySplitAndChannel) {
  TemporaryFolder folder;
  const PrepareSummary summary =
      prepare(prepare_options("mnist", sample_folder(), folder / "a.h5"));
  const SplitStatistics& train = summary.statistics.at("train");
  EXPECT_EQ(train.mean, summary.mean);
  EXPECT_EQ(train.std, summary.std);
  EXPECT_THAT(train.min, ElementsAre(0));
  EXPECT_THAT(train.max, ElementsAre(255));
  EXPECT_NE(summary.statistics.at("test").mean, train.mean);
  write_file(folder / "a.csv", "a,b,kind\n1,-5,x\n3,,x\n2,7,y\n");
  PrepareOptions options = prepare_options("csv", folder / "a.csv", folder / "b.h5");
  options.target = {"kind"};
  options.split = "test=1";
  const SplitStatistics all = prepare(options).statistics.at("test");
  EXPECT_THAT(all.min, ElementsAre(1, -5));
  EXPECT_THAT(all.max, ElementsAre(3, 7));
  EXPECT_THAT(all.mean, ElementsAre(2, 1));
}

}  // namespace
}  // namespace mica::data
