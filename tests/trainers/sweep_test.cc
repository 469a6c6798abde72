// Sweeps: which runs they make, what is drawn, how results are ranked, and whole ones in small.
#include "trainers/sweep.h"
#include "tests/trainers/program_fixture.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/base/error.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> texts(const SweepSpec& spec) {
  std::vector<std::string> lines;
  for (const Trial& trial : make_trials(spec)) lines.push_back(trial.text());
  return lines;
}

TEST(Sweep, MakesEveryPointOfAGrid) {
  SweepSpec spec;
  spec.grid = {parse_grid("a.b=1,2"), parse_grid("c=[3, 3],x")};
  EXPECT_THAT(texts(spec),
              ElementsAre("a.b=1 c=[3, 3]", "a.b=1 c=x", "a.b=2 c=[3, 3]", "a.b=2 c=x"));
  for (const char* bad : {"a", "a=", "=1", "a=1,,2"}) EXPECT_THROW(parse_grid(bad), Error) << bad;
}

TEST(Sweep, DrawsWithinBoundsAndTheSameAgain) {
  SweepSpec spec;
  spec.random = {parse_random("lr=log(1e-4,1e-1)"), parse_random("n=int(2,4)"),
                 parse_random("p=uniform(-1,1)"), parse_random("f=choice(relu, gelu)")};
  spec.draws = 200;
  const std::vector<Trial> trials = make_trials(spec);
  ASSERT_EQ(trials.size(), 200u);
  int below = 0;
  std::map<std::string, int> seen;
  for (const Trial& trial : trials) {
    const double lr = std::stod(trial.values[0].second);
    EXPECT_TRUE(lr >= 0.99e-4 && lr <= 1.01e-1);
    below += lr < std::sqrt(1e-5);
    const double p = std::stod(trial.values[2].second);
    EXPECT_TRUE(p >= -1 && p <= 1);
    ++seen[trial.values[1].second];
    ++seen[trial.values[3].second];
  }
  EXPECT_NEAR(below, 100, 30);  // half of the draws lie below the geometric mean
  EXPECT_EQ(seen.size(), 5u);
  spec.draws = 3;
  EXPECT_EQ(make_trials(spec)[2].text(), trials[2].text());
  spec.seed = 1;
  EXPECT_NE(make_trials(spec)[2].text(), trials[2].text());
  for (const char* bad : {"a=log(0,1)", "a=log(1)", "a=uniform(2,1)", "a=int(1.5,2)",
                          "a=normal(0,1)", "a=log(1,2", "a"}) {
    EXPECT_THROW(parse_random(bad), Error) << bad;
  }
}

TrialResult result(const char* status, const char* metric, std::optional<double> best) {
  TrialResult result;
  result.status = status;
  result.metric = metric;
  result.best = best;
  return result;
}

TEST(Sweep, RanksByTheMetric) {
  EXPECT_THAT(ranking({result("failed", "", {}), result("done", "val.accuracy", 0.5),
                       result("done", "val.accuracy", 0.9)}),
              ElementsAre(2, 1, 0));
  EXPECT_THAT(ranking({result("done", "val.loss", 0.5), result("done", "val.loss", 0.1)}),
              ElementsAre(1, 0));
  EXPECT_EQ(leaderboard_csv({{{{"a", "[1, 2]"}}}, {{{"a", "x"}}}},
                            {result("diverged", "", {}), result("done", "val.loss", 0.25)}),
            "rank,run,status,val.loss,epoch,seconds,a\n"
            "1,002,done,0.25,0,0.0,x\n"
            "2,001,diverged,,,0.0,\"[1, 2]\"\n");
}

class SweepProgram : public ProgramFixture {
 protected:
  SweepProgram() {
    write("points.csv", points_csv());
    write("points.yaml", kPointsYaml);
  }
  // Split at blanks.
  pid_t start(const std::string& line) {
    std::istringstream words(line);
    return ProgramFixture::start({std::istream_iterator<std::string>(words), {}});
  }
  int run(const std::string& line) { return finish(start(line)).code; }
  std::string text(const std::string& name) { return read_file(root_ / name); }
  // Waits, a minute at most.
  void wait_for(const std::string& file) {
    for (int i = 0; i < 60'000 && !fs::exists(root_ / file); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_TRUE(fs::exists(root_ / file)) << file;
  }
};

// A run that `parent` has started; 0 if there is none.
pid_t child_of(pid_t parent) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string stat = read_file(entry.path() / "stat");  // "pid (name) state parent ..."
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;
    if (std::stoi(stat.substr(name_end + 4)) == parent) return std::stoi(stat);
  }
  return 0;
}

TEST_F(SweepProgram, RunsRanksAndGoesOn) {
  const std::string sweep = "sweep points.yaml --grid optimizer.sgd.lr=0.1,1e30 --grid seed=1,2";
  // The second rate diverges, which stops nobody.
  EXPECT_EQ(run(sweep + " --json"), 0) << text("stderr");
  const json results = json::parse(text("stdout"));
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0]["status"], "done");
  EXPECT_EQ(results[0]["metric"], "val.accuracy");
  EXPECT_GE(results[0]["best"], results[1]["best"]);
  const std::string board = text("runs/points-sweep/leaderboard.csv");
  EXPECT_THAT(board,
              HasSubstr("rank,run,status,val.accuracy,epoch,seconds,optimizer.sgd.lr,seed\n"));
  EXPECT_THAT(board, HasSubstr("diverged"));
  EXPECT_TRUE(fs::exists(root_ / "runs/points-sweep/001/config.yaml"));
  // Nothing is run again but what is missing.
  fs::remove_all(root_ / "runs/points-sweep/002");
  const auto written = fs::last_write_time(root_ / "runs/points-sweep/001/run.json");
  EXPECT_EQ(run(sweep), 0);
  EXPECT_THAT(text("stderr"), HasSubstr("[1/4] optimizer.sgd.lr=0.1 seed=1: done before"));
  EXPECT_THAT(text("stderr"), HasSubstr("[2/4] optimizer.sgd.lr=0.1 seed=2: starts"));
  EXPECT_EQ(fs::last_write_time(root_ / "runs/points-sweep/001/run.json"), written);
  EXPECT_EQ(run(sweep + ",3"), 2);  // another sweep in the same folder
  EXPECT_THAT(text("stderr"), HasSubstr("holds another sweep"));
}

// A signal stops the sweep and its run, whichever of the two it was sent to. What is started again
// ends with the bytes of runs that nobody stopped.
TEST_F(SweepProgram, GoesOnAfterSignals) {
  const std::string options = " points.yaml --set train.epochs=30 ";
  const std::string sweep = "sweep" + options + "--grid seed=1,2,3";
  const std::string board = "runs/points-sweep/leaderboard.csv";
  pid_t child = start(sweep);
  wait_for("runs/points-sweep/001/checkpoints/last.h5");
  const pid_t first = child_of(child);
  ASSERT_GT(first, 0);
  kill(first, SIGTERM);
  EXPECT_EQ(finish(child).code, 143) << text("stderr");
  EXPECT_THAT(text(board), HasSubstr(",001,stopped,"));
  EXPECT_THAT(text(board), HasSubstr(",002,waiting,"));

  child = start(sweep);
  wait_for("runs/points-sweep/002/checkpoints/last.h5");
  kill(child, SIGINT);
  EXPECT_EQ(finish(child).code, 130) << text("stderr");
  EXPECT_THAT(text("stderr"), HasSubstr("[1/3] seed=1: goes on"));
  EXPECT_THAT(text(board), HasSubstr(",001,done,"));
  EXPECT_THAT(text(board), HasSubstr(",002,stopped,"));
  EXPECT_THAT(text(board), HasSubstr(",003,waiting,"));

  EXPECT_EQ(run(sweep), 0) << text("stderr");
  for (const char* line : {"[1/3] seed=1: done before", "[2/3] seed=2: goes on",
                           "[3/3] seed=3: starts", "[3/3] seed=3: done"}) {
    EXPECT_THAT(text("stderr"), HasSubstr(line));
  }
  EXPECT_EQ(run("train" + options + "--set seed=2 --out whole"), 0) << text("stderr");
  EXPECT_EQ(text("runs/points-sweep/002/checkpoints/last.h5"), text("whole/checkpoints/last.h5"));
}

TEST_F(SweepProgram, ChecksEveryConfigFirst) {
  EXPECT_EQ(run("sweep points.yaml --grid train.epochs=1,two --grid optimizer.sgd.lrr=1"), 2);
  EXPECT_THAT(text("stderr"), HasSubstr("unknown key 'lrr'"));
  EXPECT_THAT(text("stderr"), HasSubstr("'train.epochs' must be an integer, got 'two'"));
  EXPECT_FALSE(fs::exists(root_ / "runs"));
}

TEST_F(SweepProgram, CrossValidates) {
  EXPECT_EQ(run("kfold points.yaml -k 3 --jobs 2 --json"), 0) << text("stderr");
  const json found = json::parse(text("stdout"));
  double sum = 0;
  for (const json& fold : found["folds"]) sum += fold["best"].get<double>();
  EXPECT_EQ(found["folds"].size(), 3u);
  EXPECT_NEAR(found["mean"].get<double>(), sum / 3, 1e-12);
  EXPECT_GE(found["deviation"].get<double>(), 0);
  EXPECT_THAT(text("runs/points-kfold/002/config.yaml"), HasSubstr("  fold: 2/3\n"));
}

}  // namespace
}  // namespace mica::trainers
