#include "data/csv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/data_testing.h"

namespace mica::data {
namespace {

class Csv : public testing::Test {
 protected:
  std::string file(const std::string& text) {
    write_file(folder_ / "a.csv", text);
    return folder_ / "a.csv";
  }
  PrepareOptions options(const std::string& text) {
    PrepareOptions result = prepare_options("csv", file(text), folder_ / "a.h5");
    result.target = {"y"};
    result.split = "test=0";
    return result;
  }
  TemporaryFolder folder_;
};

TEST_F(Csv, ReadsQuotesBlanksAndLineEnds) {
  const CsvTable table =
      read_csv(file("\xef\xbb\xbfname,\"a \"\"b\"\"\"\r\n\r\n \"x, y\" , 2 \r\n"
                    "\"two\nlines\",\"\"\n z ,4"));
  EXPECT_EQ(table.names(), (std::vector<std::string>{"name", "a \"b\""}));
  ASSERT_EQ(table.rows(), 3u);
  EXPECT_EQ(table.cell(1, 0), "two\nlines");
  EXPECT_EQ(table.cell(1, 1), "");
  EXPECT_EQ(table.cell(2, 0), "z");
  EXPECT_EQ(table.cell(2, 1), "4");
  EXPECT_EQ(table.place(2, 1), folder_ / "a.csv:6:5");
}

TEST_F(Csv, ReadsTextThatStandsForAFile) {
  const CsvTable row = parse_csv("1,\"a,b\"", "standard input", {.header = "no"}, 17);
  EXPECT_EQ(row.cell(0, 1), "a,b");
  EXPECT_EQ(row.place(0, 1), "standard input:17:4");
}

TEST_F(Csv, FindsHeaderAndDelimiter) {
  EXPECT_TRUE(read_csv(file("a,b\n1,2\n")).has_header());
  EXPECT_FALSE(read_csv(file("1,b\n1,2\n")).has_header());
  EXPECT_FALSE(read_csv(file("a,b\nc,d\n"), {.header = "no"}).has_header());
  EXPECT_EQ(read_csv(file("1,b\n1,2\n"), {.header = "yes"}).names()[0], "1");
  EXPECT_EQ(read_csv(file("a;b\n1,5;2\n")).cell(0, 0), "1,5");
  EXPECT_EQ(read_csv(file("a\tb\n1\t2\n")).columns(), 2u);
  EXPECT_EQ(read_csv(file("a:b\n1:2\n"), {.delimiter = ":"}).columns(), 2u);
}

TEST_F(Csv, TellsNumbersFromTexts) {
  EXPECT_EQ(number_in("-1.5e3"), -1500);
  EXPECT_EQ(number_in("+2"), 2);
  for (const char* text : {"", "1,5", "1.5x", "inf", "0x10", "1e999", "+-1"}) {
    EXPECT_FALSE(number_in(text).has_value()) << text;
  }
  for (const char* text : {"", "NA", "n/a", "NaN", "NULL", "?"}) EXPECT_TRUE(is_missing(text));
  EXPECT_FALSE(is_missing("nano"));
}

TEST_F(Csv, NamesThePlaceOfBadRows) {
  expect_error(ErrorKind::kData, {"a.csv:4: 3 fields, wanted 2 as in line 1"},
               [&] { read_csv(file("a,b\n1,2\n\n3,4,5\n")); });
  expect_error(ErrorKind::kData, {"a.csv:2: a quoted field is never closed"},
               [&] { read_csv(file("a,b\n\"1,2\n3,4\n")); });
  expect_error(ErrorKind::kData, {"a.csv:2: text after a closing quote"},
               [&] { read_csv(file("a,b\n\"1\"2,3\n")); });
  expect_error(ErrorKind::kData, {"a.csv: is empty"}, [&] { read_csv(file("")); });
  expect_error(ErrorKind::kData, {"a.csv: a header, but no rows"},
               [&] { read_csv(file("a,b\n")); });
  expect_error(ErrorKind::kData, {"two columns are named 'a'"},
               [&] { read_csv(file("a,a\n1,2\n")); });
  expect_error(ErrorKind::kData, {"a.csv: is no text file"},
               [&] { read_csv(file(std::string("a\0b", 3))); });
}

TEST_F(Csv, MakesFeaturesAndTargets) {
  const auto dataset = prepared(options("n,c,y\n1,red,0.5\n,blue,1.5\n4,,2.5\n7,red,3.5\n"));
  EXPECT_EQ(dataset->info().task, Task::kRegression);
  EXPECT_EQ(dataset->info().feature_names,
            (std::vector<std::string>{"n", "c=(missing)", "c=blue", "c=red"}));
  EXPECT_EQ(dataset->info().target_names, std::vector<std::string>{"y"});
  const Split& train = dataset->split("train");
  EXPECT_EQ(train.y.shape, (Shape{4, 1}));
  for (size_t row = 0; row < 4; ++row) {
    const float* x = train.x.as<float>().data() + 4 * row;
    const float y = train.y.as<float>()[row];
    const std::vector<float> wanted = y == 0.5f   ? std::vector<float>{1, 0, 0, 1}
                                      : y == 1.5f ? std::vector<float>{4, 0, 1, 0}  // the median
                                      : y == 2.5f ? std::vector<float>{4, 1, 0, 0}
                                                  : std::vector<float>{7, 0, 0, 1};
    EXPECT_EQ(std::vector<float>(x, x + 4), wanted) << y;
  }
  EXPECT_DOUBLE_EQ(dataset->info().target_mean[0], 2);
  EXPECT_DOUBLE_EQ(dataset->info().target_std[0], std::sqrt(1.25));
}

TEST_F(Csv, ImputesWithTheMedianOfTheTrainingSplitOnly) {
  std::string text = "n,y\n";
  for (int i = 0; i < 40; ++i)
    text += fmt::format("{},{}\n", i < 5 ? "" : std::to_string(i * i), i + 0.5);
  PrepareOptions split = options(text);
  split.split = "test=0.5";
  const auto dataset = prepared(split);
  std::vector<float> known;
  std::vector<float> filled;
  for (const char* name : {"train", "test"}) {
    const Split& rows = dataset->split(name);
    for (size_t i = 0; i < static_cast<size_t>(rows.rows()); ++i) {
      const bool missing = rows.y.as<float>()[i] < 5;
      if (missing)
        filled.push_back(rows.x.as<float>()[i]);
      else if (std::string(name) == "train")
        known.push_back(rows.x.as<float>()[i]);
    }
  }
  std::sort(known.begin(), known.end());
  const size_t half = known.size() / 2;
  const float median = known.size() % 2 == 1 ? known[half] : (known[half - 1] + known[half]) / 2;
  EXPECT_EQ(filled, std::vector<float>(5, median));
  EXPECT_EQ(dataset->info().fill, std::vector<double>{median});
}

TEST_F(Csv, NumbersCategoriesOnRequest) {
  PrepareOptions codes = options("c,d,k,y\nb,9,1,0.5\na,9,2,1.5\nc,9,1,2.5\n");
  codes.encode = "codes";
  codes.drop = {"2"};
  codes.categorical = {"k"};
  const auto dataset = prepared(codes);
  EXPECT_EQ(dataset->info().feature_names, (std::vector<std::string>{"c", "k"}));
  const Split& train = dataset->split("train");
  for (size_t row = 0; row < 3; ++row) {
    const float y = train.y.as<float>()[row];
    EXPECT_EQ(train.x.as<float>()[2 * row], y == 0.5f ? 1 : y == 1.5f ? 0 : 2);
    EXPECT_EQ(train.x.as<float>()[2 * row + 1], y == 1.5f ? 1 : 0);
  }
}

TEST_F(Csv, GuessesTheTask) {
  const auto task = [&](const std::string& text) { return prepared(options(text))->info().task; };
  EXPECT_EQ(task("x,y\n1,cat\n2,dog\n"), Task::kClassification);
  EXPECT_EQ(task("x,y\n1,1\n2,0\n"), Task::kClassification);
  EXPECT_EQ(task("x,y\n1,1.5\n2,0\n"), Task::kRegression);
  PrepareOptions forced = options("x,y\n1,1\n2,0\n");
  forced.task = "regression";
  EXPECT_EQ(prepared(forced)->info().task, Task::kRegression);
}

TEST_F(Csv, SaysWhatIsWrong) {
  expect_bad_data(options("x,y\n1,0.5\n2,1.5\nabc,2.5\n"), {"a.csv:4:1", "'abc'", "column x"});
  expect_bad_data(options("x,y\n1,0.5\n2,\n"), {"a.csv:3:3", "target is missing", "column y"});
  expect_bad_data(options("y\n1\n2\n"), {"no feature columns"});
  expect_bad_data(options("x,y\n1e300,0.5\n"), {"a.csv:2:1", "too large"});
  PrepareOptions none = options("x,y\n1,2\n");
  none.target = {};
  expect_error(ErrorKind::kUsage, {"which column is the target", "x, y"}, [&] { prepare(none); });
  none.target = {"z"};
  expect_error(ErrorKind::kUsage, {"target 'z' is no column", "x, y"}, [&] { prepare(none); });
}

TEST_F(Csv, PreparesCaliforniaHousing) {
  if (test_data().empty()) GTEST_SKIP() << "set MICA_TEST_DATA to the folder of real data";
  PrepareOptions real = prepare_options("csv", test_data() + "/tabular/california-housing.csv",
                                        folder_ / "california.h5");
  real.target = {"median_house_value"};
  const PrepareSummary summary = prepare(real);
  EXPECT_EQ(summary.rows.at("train"), 16512);
  EXPECT_EQ(summary.rows.at("test"), 4128);
  EXPECT_EQ(summary.sample_shape, (Shape{13}));
  EXPECT_EQ(summary.task, "regression");
}

TEST_F(Csv, PreparesIris) {
  if (test_data().empty()) GTEST_SKIP() << "set MICA_TEST_DATA to the folder of real data";
  const PrepareSummary summary =
      prepare(prepare_options("csv", test_data() + "/tabular/iris.csv", folder_ / "iris.h5"));
  EXPECT_EQ(summary.class_names,
            (std::vector<std::string>{"Iris-setosa", "Iris-versicolor", "Iris-virginica"}));
  EXPECT_EQ(summary.class_counts.at("test"), (std::vector<int64_t>{10, 10, 10}));
}

}  // namespace
}  // namespace mica::data
