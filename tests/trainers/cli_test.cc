// The program itself: verbs, exit codes, what goes to stdout and stderr, signals.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/trainers/program_fixture.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ProgramTest : public ProgramFixture {
 protected:
  // 300 rows of two numbers, and a config that tells their two classes apart.
  void write_example() {
    std::string csv = "a,b,kind\n";
    for (int i = 0; i < 300; ++i) {
      const int a = i * 37 % 101, b = i * 53 % 97;
      csv += fmt::format("{},{},{}\n", a, b, a > b ? "more" : "less");
    }
    write("points.csv", csv);
    write("points.yaml",
          "data: {source: csv, path: points.csv, target: kind, split: \"test=0.2,val=0.1\",\n"
          "       batch_size: 16, normalize: feature}\n"
          "model: [linear: 16, relu, dropout: 0.1, linear: 2]\n"
          "loss: cross_entropy\n"
          "optimizer: {adam: {lr: 0.02}}\n"
          "train: {epochs: 12}\n");
  }

  void check_evaluation_files();

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(root_)) {
      const std::string name = entry.path().filename().string();
      if (name != "stdout" && name != "stderr") names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(ProgramTest, ExplainsItself) {
  const Result help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* word :
       {"train", "evaluate", "prepare", "summary", "config", "bench", "doctor", "version", "143"}) {
    EXPECT_THAT(help.out, HasSubstr(word));
  }
  for (const char* verb : {"train", "evaluate", "predict", "prepare", "summary", "config"}) {
    const Result result = run({verb, "--help"});
    EXPECT_EQ(result.code, 0) << verb;
    EXPECT_THAT(result.out, HasSubstr("Exit codes")) << verb;
  }
  EXPECT_THAT(run({"version"}).out, testing::StartsWith("mica "));
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
}

TEST_F(ProgramTest, RefusesWrongUsage) {
  Result result = run({"trian"});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "error: unknown verb 'trian' (did you mean 'train'?)\n");
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_EQ(run({}).code, 2);
  EXPECT_EQ(run({"train"}).code, 2);
  EXPECT_THAT(run({"train", "x.yaml", "--theads", "2"}).err,
              HasSubstr("did you mean '--threads'?"));
  result = run({"train", "missing.yaml"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("missing.yaml: cannot read the config file"));
}

TEST_F(ProgramTest, HasNoGpu) {
  write_example();
  const Result result = run({"train", "points.yaml", "--device", "gpu"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("this build of Mica has no GPU support"));
}

// Of runs/points, which is judged again and asked for predictions.
void ProgramTest::check_evaluation_files() {
  const fs::path folder = root_ / "runs/points/evaluation-test";
  const Result printed = run({"evaluate", "runs/points", "--threads", "1"});
  EXPECT_EQ(printed.out, read_file(folder / "report.txt"));
  EXPECT_EQ(printed.err, "files: runs/points/evaluation-test\n");
  EXPECT_EQ(run({"evaluate", "runs/points", "--threads", "2", "--out", "again"}).code, 0);
  for (const char* file : {"report.txt", "report.json", "predictions.csv", "confusion.csv",
                           "confusion.png", "confusion_normalized.csv", "confusion_normalized.png",
                           "calibration.csv", "calibration.png"}) {
    ASSERT_TRUE(fs::exists(folder / file)) << file;
    EXPECT_EQ(read_file(folder / file), read_file(root_ / "again" / file)) << file;
  }
  EXPECT_FALSE(fs::exists(folder / "misclassified.png"));  // no pictures
  EXPECT_EQ(run({"evaluate", "runs/points", "--split", "val", "--no-files"}).code, 0);
  EXPECT_FALSE(fs::exists(root_ / "runs/points/evaluation-val"));
  EXPECT_EQ(run({"evaluate", "runs/points", "--max", "loss=0"}).code, 5);
  EXPECT_THAT(run({"evaluate", "runs/points", "--min", "acuracy=0"}).err,
              HasSubstr("no metric 'acuracy' for this data (did you mean 'accuracy'?)"));

  write("new.csv", "b,a\n0,90\n90,0\nx,1\n");
  const Result predicted = run({"predict", "runs/points", "new.csv", "--top-k", "1"});
  EXPECT_EQ(predicted.code, 3);
  EXPECT_THAT(predicted.out,
              testing::MatchesRegex("input,row,prediction,confidence\n"
                                    "new.csv,0,more,[0-9.]+\nnew.csv,1,less,[0-9.]+\n"));
  EXPECT_EQ(
      predicted.err,
      "error: new.csv:4:1: 'x' is no number (column b)\n1 of 3 inputs could not be predicted\n");
}

TEST_F(ProgramTest, TrainsAndEvaluates) {
  write_example();
  const Result trained = run({"train", "points.yaml", "--seed", "5"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.out, IsEmpty());
  EXPECT_THAT(trained.err, Not(HasSubstr("\r")));
  for (const char* file : {"config.yaml", "run.json", "log.txt", "metrics.csv", "metrics.jsonl",
                           "checkpoints/last.h5", "checkpoints/best.h5"}) {
    EXPECT_TRUE(fs::exists(root_ / "runs/points" / file)) << file;
  }
  const auto info = nlohmann::json::parse(read_file(root_ / "runs/points/run.json"));
  EXPECT_EQ(info["status"], "done");
  EXPECT_EQ(info["seed"], 5);

  const Result scored = run({"evaluate", "runs/points", "--json"});
  ASSERT_EQ(scored.code, 0) << scored.err;
  const auto scores = nlohmann::json::parse(scored.out);
  EXPECT_EQ(scores["split"], "test");
  EXPECT_EQ(scores["n"], 60);
  EXPECT_GT(scores["accuracy"].get<double>(), 0.9);
  EXPECT_THAT(trained.err,
              HasSubstr(fmt::format("test: accuracy {:.4f}", scores["accuracy"].get<double>())));
  EXPECT_EQ(run({"evaluate", "runs/points/checkpoints/best.h5", "--json"}).out, scored.out);
  EXPECT_EQ(run({"evaluate", "runs/points", "--min", "accuracy=1.01"}).code, 5);
  EXPECT_EQ(run({"evaluate", "runs/points", "--min", "accuracy=0.5"}).code, 0);
  EXPECT_EQ(run({"evaluate", "runs/points", "--split", "tset"}).code, 3);

  check_evaluation_files();

  // A second run never touches the first, and the effective config gives the first one's weights.
  EXPECT_EQ(run({"train", "runs/points/config.yaml", "--set", "name=points"}).code, 0);
  EXPECT_EQ(read_file(root_ / "runs/points-2/checkpoints/best.h5"),
            read_file(root_ / "runs/points/checkpoints/best.h5"));
}

TEST_F(ProgramTest, ProtectsARunThatIsThere) {
  write_example();
  ASSERT_EQ(run({"train", "points.yaml", "--out", "r", "--set", "train.epochs=1"}).code, 0);
  const Result again = run({"train", "points.yaml", "--out", "r"});
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("r holds a run already"));
  EXPECT_EQ(run({"train", "points.yaml", "--out", "r", "--force"}).code, 0);
}

TEST_F(ProgramTest, ReportsBadConfigsAndWritesNothing) {
  write_example();
  const std::vector<std::string> before = files();
  const auto error_of = [&](const std::vector<std::string>& sets, int code) {
    std::vector<std::string> arguments = {"train", "points.yaml", "--out", "r"};
    for (const std::string& set : sets) arguments.insert(arguments.end(), {"--set", set});
    const Result result = run(arguments);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(files(), before);
    return result.err;
  };
  EXPECT_EQ(error_of({"train.epochs=ten", "data.batch_size=0"}, 2),
            "--set #1: error: 'train.epochs' must be an integer, got 'ten'\n"
            "--set #2: error: 'data.batch_size' must be at least 1, got 0\n2 errors\n");
  EXPECT_THAT(error_of({"model[3].linear=3"}, 2), HasSubstr("but the data wants 2 outputs"));
  EXPECT_THAT(error_of({"model[0]=max_pool2d"}, 2), HasSubstr("layer 0 (max_pool2d)"));
  EXPECT_THAT(error_of({"loss=mse"}, 2), HasSubstr("loss 'mse' is for regression"));
  EXPECT_THAT(error_of({"train.monitor=val.r2"}, 2), HasSubstr("monitor 'val.r2'"));
  EXPECT_THAT(error_of({"data.path=nowhere.csv"}, 3),
              HasSubstr("--set #1: error: data.path: no file " + (root_ / "nowhere.csv").string()));
  EXPECT_THAT(error_of({"data.source=cvs"}, 2), HasSubstr("(did you mean 'csv'?)"));
  EXPECT_THAT(error_of({"data.source=\"\"", "data.path=set.h5"}, 3),
              HasSubstr("run: mica prepare SOURCE --source PATH --out "));
  const std::string fetched = (root_ / "fashion_mnist.h5").string();
  EXPECT_THAT(error_of({"data.source=\"\"", "data.path=fashion_mnist.h5"}, 3),
              HasSubstr("run: mica prepare fashion-mnist --out " + fetched));
}

TEST_F(ProgramTest, ReportsBadData) {
  write_example();
  write("ragged.csv", "a,b,kind\n1,2,x\n3,y\n");
  Result result =
      run({"prepare", "csv", "--source", "ragged.csv", "--target", "kind", "--out", "o.h5"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("ragged.csv:3:"));
  EXPECT_FALSE(fs::exists(root_ / "o.h5"));
  result = run({"prepare", "csb", "--source", "points.csv", "--out", "o.h5"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("unknown source 'csb' (did you mean 'csv'?)"));
  result = run({"train", "points.yaml", "--out", "points.csv/r"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("points.csv/r"));

  ASSERT_EQ(
      run({"prepare", "csv", "--source", "points.csv", "--target", "kind", "--out", "points.h5"})
          .code,
      0);
  fs::resize_file(root_ / "points.h5", fs::file_size(root_ / "points.h5") / 2);
  result = run({"train", "points.yaml", "--set", "data={path: points.h5}", "--out", "r"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("points.h5: damaged HDF5 file"));
  EXPECT_FALSE(fs::exists(root_ / "r"));
}

TEST_F(ProgramTest, PreparesAndTellsWhatItFound) {
  const std::string sample = std::string(MICA_SOURCE) + "/data/samples/mnist";
  Result result = run({"prepare", "mnist", "--source", sample, "--out", "digits.h5", "--report",
                       "digits.json", "--sheet", "digits.png"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("digits.h5: 10000 train, 2000 test, uint8 of shape"));
  EXPECT_THAT(result.out, HasSubstr("duplicates: none"));
  const auto report = nlohmann::json::parse(read_file(root_ / "digits.json"));
  EXPECT_EQ(report["rows"]["train"], 10000);
  EXPECT_EQ(report["statistics"]["test"]["max"][0], 255);
  EXPECT_EQ(report["duplicates"]["groups"], 0);
  EXPECT_THAT(read_file(root_ / "digits.png"), testing::StartsWith("\x89PNG"));

  write("points.csv", "a,kind\n1,x\n1,y\n2,x\n2,x\n3,y\n");
  result = run({"prepare", "csv", "--source", "points.csv", "--target", "kind", "--split", "test=1",
                "--out", "points.h5", "--sheet", "points.png"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--sheet: points.h5 holds no pictures"));
  result = run({"prepare", "csv", "--source", "points.csv", "--target", "kind", "--split", "test=1",
                "--out", "points.h5", "--drop-duplicates"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("duplicates: 1 rows dropped"));
  EXPECT_THAT(result.out, HasSubstr("1 contradict each other"));
  result = run({"prepare", "mnist", "--offline", "--cache", "empty", "--out", "m.h5"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("empty/mnist/train-images-idx3-ubyte.gz: is missing"));
  // A config needs no path for what can be fetched.
  const std::string rest =
      "}\nmodel: [flatten, linear: 10]\nloss: cross_entropy\noptimizer: adam\n";
  write("fetched.yaml", "data: {source: mnist" + rest);
  EXPECT_EQ(run({"config", "print", "fetched.yaml"}).code, 0);
  write("lost.yaml", "data: {source: csv" + rest);
  EXPECT_THAT(run({"config", "print", "lost.yaml"}).err, HasSubstr("'data.path' must be given"));
}

TEST_F(ProgramTest, ReportsBadCheckpoints) {
  write_example();
  ASSERT_EQ(run({"train", "points.yaml", "--out", "r", "--set", "train.epochs=1"}).code, 0);
  Result result = run({"evaluate", "r", "--set", "model[0].linear.out=9"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, testing::AllOf(HasSubstr("best.h5: a checkpoint of another model"),
                                         HasSubstr("0.weight")));
  const fs::path best = root_ / "r/checkpoints/best.h5";
  fs::copy_file(best, root_ / "cut.h5");
  fs::resize_file(root_ / "cut.h5", fs::file_size(best) / 2);
  result = run({"evaluate", "cut.h5"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("cut.h5: damaged HDF5 file"));
  EXPECT_EQ(run({"evaluate", "nothing"}).code, 3);
  EXPECT_EQ(run({"evaluate", "."}).code, 3);
}

TEST_F(ProgramTest, StopsWhenTrainingDiverges) {
  write_example();
  const Result result =
      run({"train", "points.yaml", "--out", "r", "--set", "optimizer={sgd: {lr: 1e30}}"});
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.err, testing::ContainsRegex("error: step [0-9]+ \\(epoch 1, batch"));
  EXPECT_EQ(nlohmann::json::parse(read_file(root_ / "r/run.json"))["status"], "diverged");
}

// Signals at any moment, and kill -9 at any moment: the end is always the same.
TEST_F(ProgramTest, InterruptedRunsEndWithTheSameBytes) {
  write_example();
  const std::vector<std::string> whole = {"train", "points.yaml", "--out",
                                          "whole", "--threads",   "1"};
  ASSERT_EQ(run(whole).code, 0);
  const std::string wanted = read_file(root_ / "whole/checkpoints/last.h5");
  int interrupted = 0;
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    const std::string out = fmt::format("r{}", signal);
    const std::vector<std::string> arguments = {"train",    "points.yaml", "--out", out,
                                                "--resume", "--threads",   "2"};
    for (int wait = 5; wait < 400; wait += 15) {
      const pid_t child = start(arguments);
      std::this_thread::sleep_for(std::chrono::milliseconds(wait));
      kill(child, signal);
      const Result result = finish(child);
      if (result.code == 0) break;
      EXPECT_THAT(result.code, testing::AnyOf(128 + signal, 1000 + signal)) << result.err;
      ++interrupted;
    }
    const Result result = run(arguments);
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(read_file(root_ / out / "checkpoints/last.h5"), wanted) << signal;
  }
  EXPECT_GT(interrupted, 0);
}

TEST_F(ProgramTest, RunsResumeByTheirFolder) {
  write_example();
  ASSERT_EQ(run({"train", "points.yaml", "--out", "whole"}).code, 0);
  const std::string wanted = read_file(root_ / "whole/checkpoints/last.h5");
  for (const char* named : {"r", "r/config.yaml"}) {
    Result result;
    for (int wait = 20; wait < 400 && result.code != 130; wait += 20) {
      const pid_t child = start({"train", "points.yaml", "--out", "r", "--force"});
      std::this_thread::sleep_for(std::chrono::milliseconds(wait));
      kill(child, SIGINT);
      result = finish(child);
    }
    ASSERT_EQ(result.code, 130) << result.err;
    EXPECT_THAT(result.err, HasSubstr("go on with: mica train r --resume"));
    result = run({"train", named, "--resume"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(read_file(root_ / "r/checkpoints/last.h5"), wanted) << named;
  }
}

TEST_F(ProgramTest, SummarisesAModel) {
  write("net.yaml",
        "data: {path: none.h5}\n"
        "model: [conv2d: {out: 20, kernel: 5, padding: 2}, relu, max_pool2d: 2, flatten, linear: "
        "10]\n"
        "loss: cross_entropy\noptimizer: adam\n");
  const Result result = run({"summary", "net.yaml", "--input", "28,28,1", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["parameters"], 20 * 25 + 20 + 14 * 14 * 20 * 10 + 10);
  EXPECT_EQ(json["layers"][1]["output"], (std::vector<int>{28, 28, 20}));
  EXPECT_GE(json["layers"][1]["flops"], 2.0 * 28 * 28 * 20 * 25);
  EXPECT_EQ(run({"summary", "net.yaml"}).code, 3);  // no data, no --input
}

TEST_F(ProgramTest, ExaminesTheMachine) {
  const Result result = run({"doctor", "--json", "--threads", "1"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  for (const char* key : {"cpu", "isa", "BLAS", "oneDNN", "TBB", "HDF5", "GPU"}) {
    EXPECT_FALSE(json[key].get<std::string>().empty()) << key;
  }
  ASSERT_EQ(json["measured"].size(), 1);
  const auto& run = json["measured"][0];
  EXPECT_EQ(run["threads"], 1);
  // No machine that runs this does less, and no product does more than the peak.
  EXPECT_GT(run["peak_gflops"], 1.0);
  EXPECT_GT(run["matmul_gflops"], 0.1);
  EXPECT_LT(run["matmul_gflops"], 1.3 * run["peak_gflops"].get<double>());
  EXPECT_GT(run["bandwidth_gb_s"]["L1"], run["bandwidth_gb_s"]["DRAM"]);
}

TEST_F(ProgramTest, MeasuresATrainingStep) {
  write_example();
  const Result result =
      run({"bench", "points.yaml", "--steps", "7", "--ops", "--trace", "trace.json", "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["batch"], 16);
  EXPECT_GT(json["step_ms"], 0.0);
  EXPECT_GE(json["step_ms"], json["data_wait_ms"]);
  // Both products forward, both weight gradients, and the second layer's input gradient.
  EXPECT_NEAR(json["gflops_per_step"].get<double>(),
              1e-9 * 16 * (3 * (2 * (2 * 16 + 16 * 2) + 2 * 16) - 2 * 2 * 16), 1e-7);
  double matmuls = 0;
  for (const auto& row : json["ops"]) {
    EXPECT_GE(row["ms"], 0.0);
    if (row["op"] != "matmul") continue;
    matmuls += row["calls"].get<double>();
    EXPECT_THAT(row["layer"].get<std::string>(), testing::EndsWith(" linear"));
  }
  EXPECT_EQ(matmuls, 5);
  int steps = 0, ops = 0;
  const auto trace = nlohmann::json::parse(read_file(root_ / "trace.json"));
  for (const auto& event : trace["traceEvents"]) {
    EXPECT_EQ(event["ph"], "X");
    EXPECT_GE(event["ts"], 0.0);
    steps += event["name"] == "step";
    ops += event.contains("args");
  }
  EXPECT_EQ(steps, 7);
  EXPECT_GT(ops, 7 * 5);
  EXPECT_THAT(files(), Not(testing::Contains("runs")));
}

TEST_F(ProgramTest, MeasuresWithoutData) {
  write("net.yaml",
        "data: {path: none.h5, batch_size: 8}\n"
        "model: [conv2d: {out: 4, kernel: 3}, relu, flatten, linear: 10]\n"
        "loss: cross_entropy\noptimizer: adam\n");
  EXPECT_EQ(run({"bench", "net.yaml"}).code, 3);
  const Result result = run({"bench", "net.yaml", "--input", "8,8,1", "--steps", "3"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("GFLOP/s"));
}

TEST_F(ProgramTest, ChecksEveryShippedConfig) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(MICA_SOURCE) / "configs")) {
    if (entry.path().extension() != ".yaml") continue;
    const Result result = run({"config", "print", entry.path().string()});
    EXPECT_EQ(result.code, 0) << result.err;
    write("again.yaml", result.out);
    EXPECT_EQ(run({"config", "print", "again.yaml"}).out, result.out);
    ++count;
  }
  EXPECT_GE(count, 5);
}

}  // namespace
}  // namespace mica::trainers
