// Pages and charts of runs, from folders as a run leaves them.
#include "trainers/report.h"
#include "tests/trainers/folder_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "data/image.h"
#include "trainers/compare.h"
#include "trainers/run_charts.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class ReportTest : public FolderTest {
 protected:
  // Three epochs of ten steps.
  fs::path classification(const std::string& name, double lr) {
    write(name + "/config.yaml",
          fmt::format("name: {}\nseed: 1\nmodel: [linear: {{out: 3}}, relu]\n"
                      "optimizer:\n  sgd:\n    lr: {}\n",
                      name, lr));
    write(
        name + "/run.json",
        R"({"command": "mica train <c>.yaml", "started": "2026-01-02", "host": "h", "threads": 2})");
    write(name + "/summary.json", R"({"status": "done",
      "best": {"monitor": "val.accuracy", "epoch": 2, "value": 0.75},
      "scores": {"test": {"split": "test", "n": 4, "loss": 0.5, "accuracy": 0.75,
        "accuracy_error": 0.2, "confusion": [[1, 1], [0, 2]], "per_class": [
          {"class": "a<b", "precision": 1.0, "recall": 0.5, "f1": 0.6, "support": 2},
          {"class": "c", "precision": 0.6, "recall": 1.0, "f1": 0.8, "support": 2}]}},
      "data": {"path": "/data/x.h5", "train": 40},
      "model": {"parameters": 12345, "layers": [{"name": "0", "type": "Linear",
        "output": "3", "parameters": 12345, "flops": 24690}]},
      "machine": {"cpu": "x86"}})");
    std::string csv =
        "event,epoch,step,loss,lr,gradient_norm,train_loss,val_loss,val_accuracy,seconds\n";
    for (int step = 1; step <= 30; ++step) {
      csv += fmt::format("step,{},{},{},{},{},,,,\n", (step + 9) / 10, step, 2.0 / step, lr,
                         1.0 / step);
      if (step % 10 == 0) csv += fmt::format("epoch,{},{},,,,0.5,0.6,0.75,1.5\n", step / 10, step);
    }
    write(name + "/metrics.csv", csv);
    return root_ / name;
  }
};

TEST_F(ReportTest, TellsEverythingOnOnePage) {
  const std::string page = report_page(read_run(classification("a", 0.1)));
  for (const char* part :
       {">a<span class=\"badge\">done</span></h1>", "<b>0.7500</b><span>test accuracy ± 0.2000",
        "12,345", "Confusion matrix", "a&lt;b", "Learning rate", "Gradient norm", "Time per part",
        "/data/x.h5", "lr: 0.1", "config.yaml --out", "mica train &lt;c&gt;.yaml",
        "best val.accuracy, epoch 2"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  EXPECT_EQ(count(page, "<figure>"), 6u);  // five charts and the matrix
  EXPECT_EQ(count(page, "<svg"), count(page, "</svg>"));
  EXPECT_EQ(count(page, "<table"), count(page, "</table>"));
  EXPECT_EQ(count(page, "<div"), count(page, "</div>"));
  // Nothing is fetched from anywhere.
  EXPECT_EQ(count(page, "http"), count(page, "xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
}

TEST_F(ReportTest, LeavesOutWhatARunDoesNotHaveYet) {
  write("b/config.yaml", "name: b\n");
  const std::string page = report_page(read_run(root_ / "b"));
  EXPECT_THAT(page, HasSubstr("No step has been done yet"));
  EXPECT_EQ(count(page, "<svg"), 0u);
  EXPECT_THAT(page, Not(HasSubstr("Scores")));
  write("c/config.yaml", "name: c\n");
  write("c/metrics.csv", "event,epoch,step,loss,val_loss,val_r2\nepoch,1,5,,0.5,0.8\n");
  write(
      "c/summary.json",
      R"({"status": "running", "scores": {"val": {"n": 9, "loss": 0.5, "mse": 2.0, "r2": 0.8}}})");
  const std::string regression = report_page(read_run(root_ / "c"));
  EXPECT_THAT(regression, HasSubstr("badge running"));
  EXPECT_THAT(regression, HasSubstr("<title>R²</title>"));
  EXPECT_THAT(regression, Not(HasSubstr("Confusion")));
}

TEST_F(ReportTest, DrawsPredictionsOfRegression) {
  write("c/config.yaml", "name: c\n");
  write("c/summary.json", R"({"status": "done", "scores": {"test": {"n": 3, "loss": 0.5,
    "mae": 1.0, "r2": 0.8, "points": [{"target": "a<b", "truth": [1, 2, null],
      "prediction": [1.5, 2.5, 3]}]}}})");
  const std::string page = report_page(read_run(root_ / "c"));
  EXPECT_THAT(page, HasSubstr("<h2>Predictions</h2>"));
  EXPECT_THAT(page, HasSubstr("truth: a&lt;b"));
  EXPECT_THAT(page, HasSubstr("Errors on &#39;test&#39; (mean absolute error 1)"));
  EXPECT_EQ(count(page, "<figure>"), 2u);
  EXPECT_EQ(count(page, "<circle"), 4u);  // of the two rows with numbers, in both
}

TEST_F(ReportTest, ReadsOnlyFoldersOfRuns) {
  EXPECT_THAT([&] { read_run(root_); }, testing::ThrowsMessage<Error>(HasSubstr("no config.yaml")));
  const fs::path run = classification("a", 0.1);
  std::ofstream(run / "summary.json") << "{\"status\": ";
  EXPECT_THAT([&] { read_run(run); },
              testing::ThrowsMessage<Error>(HasSubstr("summary.json: damaged")));
}

TEST_F(ReportTest, ChartsShowStepsUnderTheirAverageAndMarkTheBest) {
  const StoredRun run = read_run(classification("a", 0.1));
  const std::vector<RunChart> charts = run_charts(run.metrics, 2);
  std::vector<std::string> names;
  for (const RunChart& chart : charts) names.push_back(chart.name);
  EXPECT_THAT(names, ElementsAre("loss", "metric", "learning_rate", "gradient_norm"));
  EXPECT_EQ(charts[0].plot.series[0].x.size(), 30u);
  ASSERT_EQ(charts[0].plot.marks.size(), 1u);
  EXPECT_EQ(charts[0].plot.marks[0].x, 20);  // the step that ended epoch 2
  EXPECT_EQ(charts[1].plot.marks[0].x, 2);
  const draw::BarChart times = time_chart(run.metrics);
  EXPECT_THAT(times.labels, ElementsAre("1", "2", "3"));
  EXPECT_THAT(times.parts[0].values, ElementsAre(1.5, 1.5, 1.5));
  EXPECT_TRUE(time_chart(MetricsTable()).labels.empty());
  EXPECT_TRUE(run_charts(MetricsTable(), 0).empty());
}

TEST_F(ReportTest, AveragesDoNotShiftWhatFalls) {
  for (const bool exponential : {false, true}) {
    MetricsTable table{{"step", "loss"}, {}, {}};
    for (int step = 1; step <= 1000; ++step) {
      table.events.push_back("step");
      table.rows.push_back({1.0 * step, exponential ? std::exp(-0.01 * step) : 2000.0 - step});
    }
    table.events.push_back("step");
    table.rows.push_back({1001, INFINITY});  // of a step that diverged: not drawn
    const std::vector<RunChart> charts = run_charts(table, 0);
    ASSERT_EQ(charts.size(), 1u);
    EXPECT_EQ(charts[0].plot.y.logarithmic, exponential);
    const std::vector<draw::Series>& series = charts[0].plot.series;
    ASSERT_EQ(series.size(), 2u);
    for (size_t i = 0; i < 1000; ++i) EXPECT_NEAR(series[1].y[i] / series[0].y[i], 1, 1e-9);
  }
}

TEST_F(ReportTest, TimesOfManyEpochsAreMeans) {
  MetricsTable table{{"epoch", "seconds"}, {}, {}};
  for (int epoch = 1; epoch <= 250; ++epoch) {
    table.events.push_back("epoch");
    table.rows.push_back({static_cast<double>(epoch), epoch % 3 == 1 ? 3.0 : 0.0});
  }
  const draw::BarChart chart = time_chart(table);
  ASSERT_EQ(chart.labels.size(), 84u);
  EXPECT_EQ(chart.labels[1], "6");
  EXPECT_EQ(chart.parts[0].values[0], 1);
  EXPECT_EQ(chart.parts[0].values.back(), 3);  // of epoch 250 alone
}

TEST_F(ReportTest, OtherModelsAreOneRow) {
  classification("a", 0.1);
  classification("b", 0.1);
  write("b/config.yaml",
        "name: b\nseed: 1\n"
        "model: [{name: stem, layers: [conv2d: {out: 8, kernel: 3, stride: 1}, relu]},\n"
        "        flatten, linear: {out: 5}, dropout: {p: 0.5}, linear: {out: 3}]\n"
        "optimizer:\n  sgd:\n    lr: 0.1\n");
  const std::vector<StoredRun> runs = {read_run(root_ / "a"), read_run(root_ / "b")};
  const Comparison both = compare(runs);
  ASSERT_EQ(both.differences.rows.size(), 1u);
  EXPECT_THAT(both.differences.rows[0],
              ElementsAre("model", "linear, relu", "stem, flatten, linear, dropout, linear"));
  // Programs get every key.
  EXPECT_THAT(compare_json(runs)["differences"].dump(), HasSubstr("model[0].layers[0].conv2d.out"));
  EXPECT_EQ(aligned({{"a", "b"}, {{std::string(70, 'x'), "y"}}}),
            "a" + std::string(61, ' ') + "b\n" + std::string(59, 'x') + "…  y\n");
}

TEST_F(ReportTest, ComparesRuns) {
  const std::vector<StoredRun> runs = {read_run(classification("a", 0.1)),
                                       read_run(classification("b", 0.2)),
                                       read_run(classification("sub/b", 0.1))};
  const Comparison two = compare({runs[0], runs[1]});
  EXPECT_THAT(two.names, ElementsAre("a", "b"));
  EXPECT_THAT(two.differences.head, ElementsAre("key", "a", "b"));
  ASSERT_EQ(two.differences.rows.size(), 1u);  // not the name
  EXPECT_THAT(two.differences.rows[0], ElementsAre("optimizer.sgd.lr", "0.1", "0.2"));
  EXPECT_THAT(aligned(two.figures), HasSubstr("val.accuracy  0.75  2         0.7500 ± 0.2000"));
  EXPECT_EQ(compare_json({runs[0], runs[1]})["runs"][1]["scores"]["test"]["accuracy"], 0.75);

  EXPECT_THAT(compare(runs).names[2], HasSubstr("sub/b"));  // two are called b
  const std::string page = compare_page(runs);
  for (const char* title : {"Training loss", "Validation accuracy", "Learning rate"}) {
    EXPECT_THAT(page, HasSubstr(title));
  }
  const std::string png = compare_png(runs);
  const data::Pixels picture = data::decode_png(std::as_bytes(std::span(png)), "compare.png");
  const draw::Size size = draw::Plot{}.size;
  EXPECT_EQ(picture.width, 2 * 2 * size.width);
  EXPECT_EQ(picture.height, 3 * 2 * size.height);  // five charts
}

}  // namespace
}  // namespace mica::trainers
