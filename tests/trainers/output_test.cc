// What a run writes: metrics files, run folders, progress lines.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "tests/trainers/folder_test.h"
#include "trainers/loggers.h"
#include "trainers/progress.h"
#include "trainers/run_folder.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;

class OutputTest : public FolderTest {
 protected:
  std::string read(const fs::path& name) const { return read_file(root_ / name); }
};

TEST_F(OutputTest, MetricsGoToCsvAndJsonLines) {
  MetricsLog log(root_, {"epoch", "step", "loss", "accuracy"});
  log.keep_until(0);
  log.write("epoch", {{"epoch", 1}, {"step", 10}, {"loss", 0.1}, {"accuracy", 0.5}});
  log.write("epoch", {{"epoch", 2}, {"step", 20}, {"loss", 1.0 / 3}});
  log.write("step", {{"epoch", 2}, {"step", 21}, {"loss", INFINITY}});
  log.flush();
  EXPECT_EQ(read("metrics.csv"),
            "event,epoch,step,loss,accuracy\n"
            "epoch,1,10,0.1,0.5\nepoch,2,20,0.3333333333333333,\nstep,2,21,inf,\n");
  EXPECT_EQ(read("metrics.jsonl"),
            "{\"event\": \"epoch\", \"epoch\": 1, \"step\": 10, \"loss\": 0.1, \"accuracy\": 0.5}\n"
            "{\"event\": \"epoch\", \"epoch\": 2, \"step\": 20, \"loss\": 0.3333333333333333}\n"
            "{\"event\": \"step\", \"epoch\": 2, \"step\": 21, \"loss\": null}\n");
  std::ofstream(root_ / "metrics.csv", std::ios::app) << "epoch,3,3";
  const MetricsTable table = read_metrics(root_ / "metrics.csv");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"epoch", "step", "loss", "accuracy"}));
  ASSERT_EQ(table.rows.size(), 3u);  // what was cut off is left out
  EXPECT_EQ(table.rows[1][2], 1.0 / 3);
  EXPECT_TRUE(std::isnan(table.rows[1][3]));
  EXPECT_EQ(table.series("epoch", "step", "accuracy"),
            std::pair(std::vector<double>{10}, std::vector<double>{0.5}));
  EXPECT_EQ(table.series("epoch", "step", "none"),
            std::pair(std::vector<double>{}, std::vector<double>{}));
  EXPECT_EQ(table.last("accuracy"), 0.5);
}

TEST_F(OutputTest, MetricsThatAreNoneAreRefusedWithTheirPlace) {
  EXPECT_TRUE(read_metrics(root_ / "none.csv").rows.empty());
  std::ofstream(root_ / "metrics.csv") << "event,step\nstep,1\nstep,x1\n";
  EXPECT_THAT(
      [&] { read_metrics(root_ / "metrics.csv"); },
      testing::ThrowsMessage<Error>(testing::HasSubstr("metrics.csv:3: 'x1' is no number")));
  std::ofstream(root_ / "metrics.csv") << "step\n1\n";
  EXPECT_THROW(read_metrics(root_ / "metrics.csv"), Error);
}

TEST_F(OutputTest, ResumingDropsLaterRowsAndHalfLines) {
  MetricsLog log(root_, {"epoch", "step", "loss"});
  log.keep_until(0);
  for (int epoch = 1; epoch <= 3; ++epoch) {
    log.write("epoch", {{"epoch", epoch}, {"step", 10 * epoch}, {"loss", 0.5}});
  }
  log.flush();
  std::ofstream(root_ / "metrics.csv", std::ios::app) << "epoch,4,4";
  std::ofstream(root_ / "metrics.jsonl", std::ios::app) << "{\"epoch\": 4, \"st";
  log.keep_until(20);
  EXPECT_EQ(read("metrics.csv"), "event,epoch,step,loss\nepoch,1,10,0.5\nepoch,2,20,0.5\n");
  EXPECT_EQ(read("metrics.jsonl"),
            "{\"event\": \"epoch\", \"epoch\": 1, \"step\": 10, \"loss\": 0.5}\n"
            "{\"event\": \"epoch\", \"epoch\": 2, \"step\": 20, \"loss\": 0.5}\n");
}

TEST_F(OutputTest, RunFoldersAreNumbered) {
  EXPECT_THROW(newest_run_folder(root_, "a"), Error);
  EXPECT_EQ(new_run_folder(root_, "a").path, root_ / "a");
  RunFolder{root_ / "a"}.create();
  EXPECT_EQ(new_run_folder(root_, "a").path, root_ / "a-2");
  RunFolder{root_ / "a-2"}.create();
  EXPECT_EQ(new_run_folder(root_, "a").path, root_ / "a-3");
  EXPECT_EQ(newest_run_folder(root_, "a").path, root_ / "a-2");
}

TEST_F(OutputTest, ProgressToAFileHasNoControlCodes) {
  const fs::path file = root_ / "out";
  std::FILE* out = std::fopen(file.c_str(), "w");
  {
    Progress progress(out, Progress::detect(out));
    progress.log_to(root_ / "log.txt");
    progress.line("one");
    progress.update({.epoch = 1, .epochs = 2, .step = 1, .steps = 9});
    progress.line("two");
  }
  std::fclose(out);
  EXPECT_EQ(read("out"), "one\ntwo\n");
  EXPECT_EQ(read("log.txt"), "one\ntwo\n");
}

TEST(Progress, DrawsABarThatFits) {
  const ProgressState state{.epoch = 1,
                            .epochs = 5,
                            .step = 30,
                            .steps = 40,
                            .loss = 0.25,
                            .metric = "accuracy 0.900",
                            .samples_per_second = 1234,
                            .seconds_left = 75};
  EXPECT_EQ(Progress::draw(state, 92, false),
            "1/5 ####################-------  75%  loss 0.2500  accuracy 0.900  1234 samples/s  "
            "1:15 left");
  EXPECT_LE(Progress::draw(state, 40, false).size(), 40u);
  EXPECT_EQ(Progress::draw(state, 0, false), "");
}

TEST(Progress, TellsDurations) {
  EXPECT_EQ(Progress::duration(3.21), "3.2 s");
  EXPECT_EQ(Progress::duration(42.4), "42 s");
  EXPECT_EQ(Progress::duration(245), "4:05");
  EXPECT_EQ(Progress::duration(3723), "1:02:03");
  EXPECT_EQ(Progress::duration(-1), "?");
}

}  // namespace
}  // namespace mica::trainers
