// Whole runs in small: resuming gives the same bits, checkpoints give the same bytes, and what is
// wrong is told.
#include "trainers/trainer.h"

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/io/hdf5.h"
#include "tests/trainers/small_run.h"

namespace mica::trainers {
namespace {
using testing::HasSubstr;

using TrainerTest = SmallRun;

TEST_F(TrainerTest, LearnsAndWritesItsFiles) {
  const RunConfig settings = config({"train.epochs=15"});
  const RunFolder folder = run("a", settings);
  for (const fs::path& file :
       {folder.last(), folder.best(), folder.path / "metrics.csv", folder.path / "metrics.jsonl"}) {
    EXPECT_TRUE(fs::exists(file)) << file;
  }
  const Checkpoint best = load_checkpoint(folder.best().string());
  EXPECT_EQ(best.state.best_epoch, best.state.epoch);
  EXPECT_GT(best.state.best, 0.8);  // accuracy on val; chance is 1/3
  EXPECT_EQ(best.class_names[1], "middle");
  EXPECT_THAT(read_file(folder.path / "metrics.csv"),
              HasSubstr("event,epoch,step,loss,lr,gradient_norm,samples_per_second,data_wait,"
                        "train_loss,train_accuracy,val_loss,val_accuracy,seconds,"));
  const MetricsTable metrics = read_metrics(folder.path / "metrics.csv");
  EXPECT_THAT(metrics.series("step", "step", "loss").first,
              testing::ElementsAre(1, 10, 20, 30, 40, 50, 60, 70, 80, 90));
  EXPECT_EQ(metrics.series("epoch", "epoch", "val_accuracy").first.size(), 15u);
}

TEST_F(TrainerTest, EqualRunsWriteEqualBytesWithAnyNumberOfThreads) {
  const RunConfig settings = config();
  set_threads(1);
  const RunFolder one = run("a", settings);
  set_threads(2);
  const RunFolder two = run("b", settings);
  EXPECT_EQ(read_file(one.last()), read_file(two.last()));
  EXPECT_EQ(read_file(one.best()), read_file(two.best()));
  const RunFolder other = run("c", config({"seed=4"}));
  EXPECT_NE(read_file(one.last()), read_file(other.last()));
}

TEST_F(TrainerTest, LearnsWithShortProductsAndKeepsFloat32Weights) {
  const RunConfig settings = config({"precision=bf16", "train.epochs=15"});
  set_threads(1);
  const RunFolder one = run("a", settings);
  set_threads(2);
  const RunFolder two = run("b", settings);
  EXPECT_EQ(read_file(one.last()), read_file(two.last()));
  const Checkpoint best = load_checkpoint(one.best().string());
  EXPECT_GT(best.state.best, 0.8);  // as with float32
  for (const auto& [name, array] : best.model) EXPECT_EQ(array.dtype(), float32) << name;
  const RunFolder full = run("c", config({"train.epochs=15"}));
  const Array weight = best.model.at("0.weight");
  EXPECT_NE(weight.to_bytes(),
            load_checkpoint(full.best().string()).model.at("0.weight").to_bytes());
}

// Histograms need gradients outside of the steps, of a network with running statistics and dropout.
TEST_F(TrainerTest, RecordingChangesNothing) {
  const RunFolder all = run("a", config({"train.tensorboard=all", "train.log_every=1"}));
  const RunFolder none = run("b", config({"train.tensorboard=none"}));
  const Checkpoint with = load_checkpoint(all.last().string());
  const Checkpoint without = load_checkpoint(none.last().string());
  for (const auto& [name, array] : with.model) {
    EXPECT_EQ(array.to_bytes(), without.model.at(name).to_bytes()) << name;
  }
  for (const auto& [name, array] : with.optimizer) {
    EXPECT_EQ(array.to_bytes(), without.optimizer.at(name).to_bytes()) << name;
  }
  EXPECT_FALSE(fs::exists(none.events()));
  for (const char* file : {"report.html", "summary.json", "config.yaml", "tb/train", "tb/val",
                           "plots/loss.png", "plots/metric.png", "plots/learning_rate.png",
                           "plots/time.png", "plots/samples.png", "plots/confusion_test.png"}) {
    EXPECT_TRUE(fs::exists(all.path / file)) << file;
  }
  EXPECT_THAT(read_file(all.report()), HasSubstr("badge\">done"));
  EXPECT_THAT(read_file(all.report()), HasSubstr("alt=\"training examples\""));
}

TEST_F(TrainerTest, WeighsTheLossesOfMixedExamples) {
  const RunConfig settings = config({"data.augment=[mixup: 1]", "optimizer.adam.lr=0"});
  trainers::Setup parts = setup(settings);
  TrainingStep step(settings, *parts.network, true);
  data::Batch batch;
  batch.x = Array::from_bytes(std::vector<std::byte>(4 * 36 * 4).data(), {4, 6, 6, 1}, float32);
  const Array first = to_array(HostTensor::from<int32_t>({0, 1, 2, 0}, {4}));
  const Array second = to_array(HostTensor::from<int32_t>({1, 1, 0, 2}, {4}));
  const auto loss = [&](const Array& y, const Array& second_y, double weight) {
    batch.y = y;
    batch.second_y = second_y;
    batch.weight = weight;
    return step.run(batch, {.number = 1}).loss;
  };
  const double a = loss(first, first, 1), b = loss(second, second, 1);
  EXPECT_NE(a, b);
  EXPECT_NEAR(loss(first, second, 0.7), 0.7 * a + 0.3 * b, 1e-6);
}

TEST_F(TrainerTest, MixedRunsGoOnWhereTheyStopped) {
  const RunConfig settings = config({"data.augment=[rotate, mixup, cutmix]", "train.epochs=2"});
  set_threads(1);
  const RunFolder whole = run("whole", settings);
  set_threads(2);
  const RunFolder parts{root_ / "parts"};
  parts.create();
  for (int code = 130; code == 130;) {
    const StopSignals signals;
    Trainer trainer(settings, setup(settings), parts, progress_, signals);
    trainer.resume();
    std::raise(SIGINT);
    code = trainer.run();
  }
  EXPECT_EQ(read_file(whole.last()), read_file(parts.last()));
}

// Every step of the run is stopped at once, by the signal a user sends.
TEST_F(TrainerTest, StoppedAtEveryStepItEndsWithTheSameBytes) {
  for (const int threads : {1, 2}) {
    set_threads(threads);
    const RunConfig settings = config();
    const RunFolder whole = run(fmt::format("whole{}", threads), settings);
    const RunFolder parts{root_ / fmt::format("parts{}", threads)};
    parts.create();
    int stops = 0;
    while (true) {
      const StopSignals signals;
      Trainer trainer(settings, setup(settings), parts, progress_, signals);
      EXPECT_EQ(trainer.resume(), stops > 0);
      std::raise(stops % 2 == 0 ? SIGINT : SIGTERM);
      const int code = trainer.run();
      if (code == 0) break;
      EXPECT_EQ(code, stops % 2 == 0 ? 130 : 143);
      ++stops;
      ASSERT_EQ(trainer.state().step, stops);
    }
    EXPECT_EQ(stops, 18);  // 3 epochs of 6 batches
    EXPECT_EQ(read_file(whole.last()), read_file(parts.last()));
    EXPECT_EQ(read_file(whole.best()), read_file(parts.best()));
  }
}

TEST_F(TrainerTest, ADeadRunGoesOnFromItsLastCheckpoint) {
  const RunConfig settings = config();
  const RunFolder whole = run("whole", settings);
  // What kill -9 after step 8 leaves behind: a checkpoint of step 7, rows of metrics from later.
  const RunFolder dead{root_ / "dead"};
  dead.create();
  for (int stops = 0; stops < 7; ++stops) {
    const StopSignals signals;
    Trainer trainer(settings, setup(settings), dead, progress_, signals);
    trainer.resume();
    std::raise(SIGINT);
    trainer.run();
  }
  std::ofstream(dead.path / "metrics.jsonl", std::ios::app) << "{\"step\": 12}\n{\"ste";
  run("dead", settings, true);
  EXPECT_EQ(read_file(whole.last()), read_file(dead.last()));
  EXPECT_THAT(read_file(dead.path / "metrics.jsonl"), testing::Not(HasSubstr("{\"step\": 12}")));
  // Every row is there once, with the numbers of the run that was never stopped.
  for (const char* event : {"step", "epoch"}) {
    for (const char* column : {"loss", "lr", "train_loss", "val_accuracy"}) {
      EXPECT_EQ(read_metrics(whole.path / "metrics.csv").series(event, "step", column),
                read_metrics(dead.path / "metrics.csv").series(event, "step", column));
    }
  }
}

TEST_F(TrainerTest, FallsBackToTheCheckpointBefore) {
  const RunConfig settings = config();
  const RunFolder folder = run("a", settings);
  const std::string whole = read_file(folder.last());
  ASSERT_TRUE(fs::exists(folder.previous()));
  fs::resize_file(folder.last(), whole.size() / 2);
  run("a", settings, true);
  EXPECT_EQ(read_file(folder.last()), whole);
}

TEST_F(TrainerTest, TrainsOnWhenGivenMoreEpochs) {
  run("a", config({"optimizer.schedule=constant"}));
  const RunFolder folder =
      run("a", config({"optimizer.schedule=constant", "train.epochs=5"}), true);
  const RunFolder whole = run("b", config({"optimizer.schedule=constant", "train.epochs=5"}));
  EXPECT_EQ(read_file(folder.last()), read_file(whole.last()));
}

TEST_F(TrainerTest, StopsEarly) {
  // Without steps and without running statistics, nothing gets better.
  const RunFolder folder = run(
      "a", config({"model[1]=relu", "optimizer.adam.lr=0", "train.epochs=50", "train.patience=2"}));
  EXPECT_EQ(load_checkpoint(folder.last().string()).state.epoch, 3);
}

TEST_F(TrainerTest, RefusesToResumeWhatIsNotItsOwn) {
  const RunFolder folder = run("a", config());
  const StopSignals signals;
  const auto error_of = [&](const RunConfig& settings, trainers::Setup parts) -> std::string {
    try {
      Trainer trainer(settings, std::move(parts), folder, progress_, signals);
      trainer.resume();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const RunConfig other_rate = config({"optimizer.adam.lr=0.5"});
  EXPECT_THAT(error_of(other_rate, setup(other_rate)),
              HasSubstr("last.h5: cannot resume with another 'optimizer.adam.lr'"));
  const RunConfig same = config();
  EXPECT_THAT(error_of(same, setup(same, dataset(40))),
              HasSubstr("last.h5: was trained on other data"));
}

TEST_F(TrainerTest, RefusesWeightsOfAnotherModel) {
  const RunFolder folder = run("a", config());
  const RunConfig other = config({"model[0].conv2d.out=5"});
  const StopSignals signals;
  Trainer trainer(other, setup(other), folder, progress_, signals);
  try {
    trainer.init_from(folder.last().string());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_THAT(error.what(), HasSubstr("last.h5: a checkpoint of another model: "));
    EXPECT_THAT(error.what(), HasSubstr("0.weight"));
  }
}

TEST_F(TrainerTest, StopsWhenTheLossIsNoNumber) {
  const RunConfig settings = config({"optimizer={sgd: {lr: 1e30}}"});
  const StopSignals signals;
  const RunFolder folder{root_ / "a"};
  folder.create();
  Trainer trainer(settings, setup(settings), folder, progress_, signals);
  try {
    trainer.run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDiverged);
    EXPECT_THAT(error.what(), testing::ContainsRegex("step [0-9]+ \\(epoch 1, batch [0-9]+\\): "
                                                     "the loss is (nan|infinite)"));
  }
}

TEST_F(TrainerTest, ChecksTheMonitorBeforeItStarts) {
  const RunConfig settings = config({"train.monitor=val.r2"});
  const StopSignals signals;
  EXPECT_THROW(Trainer(settings, setup(settings), {root_}, progress_, signals), Error);
}

TEST(Checkpoint, RoundTripsEverything) {
  Checkpoint checkpoint;
  checkpoint.model = {{"0.weight", Array::from(std::vector<float>{1, 2, 3, 4}, {2, 2})}};
  checkpoint.example_shape = {28, 28, 1};
  checkpoint.normalization.mean = {33.3};
  checkpoint.normalization.std = {78.6};
  checkpoint.task = "classification";
  checkpoint.class_names = {"a", "b"};
  checkpoint.optimizer = {{"0.weight.momentum", Array::from(std::vector<float>{5}, {1})},
                          {"steps", Array::scalar(7, int64)}};
  checkpoint.state = {.step = 7,
                      .epoch = 1,
                      .batch = 2,
                      .samples = 9,
                      .loss_sum = 0.1,
                      .correct = 4,
                      .best = 0.75,
                      .best_epoch = 1,
                      .reports_since_best = 0};
  checkpoint.data_fingerprint = "abc";
  checkpoint.config = "seed: 1\n";
  checkpoint.feature_names = {"a", "b=x", "b=y"};
  checkpoint.target_names = {"c"};
  checkpoint.fill = {0.5, 0, 0};
  checkpoint.example_dtype = "float32";
  const std::string path = testing::TempDir() + "/round_trip.h5";
  save_checkpoint(checkpoint, path);
  const std::string bytes = read_file(path);
  const Checkpoint again = load_checkpoint(path);
  EXPECT_EQ(again.model.at("0.weight").to_vector<float>(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(again.optimizer.at("steps").item<int64_t>(), 7);
  EXPECT_TRUE(equal_fields(again.state, checkpoint.state));
  EXPECT_TRUE(equal_fields(again.normalization, checkpoint.normalization));
  EXPECT_EQ(again.class_names, checkpoint.class_names);
  EXPECT_EQ(again.example_shape, checkpoint.example_shape);
  EXPECT_EQ(again.config, checkpoint.config);
  EXPECT_EQ(again.feature_names, checkpoint.feature_names);
  EXPECT_EQ(again.target_names, checkpoint.target_names);
  EXPECT_EQ(again.fill, checkpoint.fill);
  EXPECT_EQ(again.example_dtype, checkpoint.example_dtype);
  save_checkpoint(again, path);
  EXPECT_EQ(read_file(path), bytes);
  fs::remove(path);
}

TEST(Checkpoint, RefusesOtherFiles) {
  const std::string path = testing::TempDir() + "/not_a_checkpoint.h5";
  const auto error_of = [&]() -> std::string {
    try {
      load_checkpoint(path);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      return error.what();
    }
  };
  EXPECT_THAT(error_of(), HasSubstr("not_a_checkpoint.h5: no such file"));
  std::ofstream(path) << "text";
  EXPECT_THAT(error_of(), HasSubstr("not_a_checkpoint.h5: is no HDF5 file"));
  Hdf5Writer out;
  out.set_attribute("/", "format", "mica-dataset");
  out.save(path);
  EXPECT_THAT(error_of(), HasSubstr("this is a data set, not a checkpoint"));
  fs::remove(path);
}

}  // namespace
}  // namespace mica::trainers
