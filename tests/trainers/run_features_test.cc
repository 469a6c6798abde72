// What a run can do beside plain steps: gather gradients, average weights, get over numbers that
// are not finite, end by the clock, keep checkpoints, overfit.
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "tests/trainers/small_run.h"
#include "trainers/diverged.h"

namespace mica::trainers {
namespace {
using testing::HasSubstr;
using testing::Not;

class RunFeatures : public SmallRun {
 protected:
  Checkpoint result(const std::string& name, const std::vector<std::string>& overrides) {
    return load_checkpoint(run(name, config(overrides)).last().string());
  }

  // Stops after every update and goes on; the same bytes as without stops.
  void expect_resumes(const std::vector<std::string>& overrides) {
    const RunConfig settings = config(overrides);
    const RunFolder whole = run("whole", settings);
    const RunFolder parts{root_ / "parts"};
    parts.create();
    int code = 130;
    for (int stops = 0; code != 0; ++stops) {
      ASSERT_LT(stops, 100);
      const StopSignals signals;
      Trainer trainer(settings, setup(settings), parts, progress_, signals);
      trainer.resume();
      std::raise(SIGINT);
      code = trainer.run();
    }
    EXPECT_EQ(read_file(whole.last()), read_file(parts.last()));
    EXPECT_EQ(read_file(whole.best()), read_file(parts.best()));
  }
};

double largest_difference(const Checkpoint& a, const Checkpoint& b) {
  double largest = 0;
  for (const auto& [name, array] : a.model) {
    largest = std::max(largest, max(abs(array - b.model.at(name))).item<double>());
  }
  return largest;
}

// Without dropout, batch statistics and augmentation the order of sums is all that differs:
// float32 rounding of 3 epochs with values of about 1, far below the size of a step (0.01).
const std::vector<std::string> kPlain = {"data.augment=[]", "model[1]=relu",
                                         "model[5]={dropout: 0}", "optimizer={sgd: {lr: 0.01}}"};

TEST_F(RunFeatures, GatheredGradientsEqualThoseOfOneLargeBatch) {
  std::vector<std::string> small = kPlain, large = kPlain;
  // 44 examples: 8 8 | 8 8 | 8 4, the last of which weighs less, and 16 16 12.
  small.insert(small.end(), {"data.batch_size=8", "train.accumulate=2"});
  large.insert(large.end(), {"data.batch_size=16"});
  const Checkpoint a = result("small", small), b = result("large", large);
  EXPECT_EQ(a.state.step, 9);
  EXPECT_EQ(b.state.step, 9);
  EXPECT_LT(largest_difference(a, b), 1e-5);
  const Checkpoint other = result("other", kPlain);
  EXPECT_GT(largest_difference(a, other), 1e-4);
}

TEST_F(RunFeatures, GatheringResumesWithTheSameBytes) {
  expect_resumes({"train.accumulate=4", "train.ema=0.9", "optimizer.clip_norm=1"});
}

TEST_F(RunFeatures, GoingBackForgetsGatheredGradients) {
  std::vector<std::string> overrides = kPlain;
  overrides.insert(overrides.end(), {"train.accumulate=2", "train.ema=0.5"});
  const RunConfig settings = config(overrides);
  trainers::Setup one = setup(settings), two = setup(settings);
  data::Loader loader(one.data.dataset, "train",
                      training_loader_options(settings, one.normalization));
  loader.start(0, 0);
  const data::Batch first = *loader.next(), second = *loader.next();
  TrainingStep straight(settings, *one.network, true), interrupted(settings, *two.network, true);
  interrupted.run(first, {.number = 0, .learning_rate = 0.1, .updates = false});
  interrupted.restart();
  for (TrainingStep* step : {&straight, &interrupted}) {
    step->run(second, {.number = 1, .learning_rate = 0.1, .updates = true});
  }
  const auto wanted = one.network->state();
  for (const auto& [name, array] : two.network->state()) {
    EXPECT_EQ(array.to_bytes(), wanted.at(name).to_bytes()) << name;
    if (straight.average().count(name) == 0) continue;
    EXPECT_EQ(interrupted.average().at(name).to_bytes(), straight.average().at(name).to_bytes());
  }
}

TEST_F(RunFeatures, TheMeanBeginsAtTheWeightsThatARunBeginsWith) {
  const RunFolder before = run("before", config());
  const Checkpoint trained = load_checkpoint(before.last().string());
  const std::string foreign = path("weights.safetensors");
  {
    const RunConfig settings = config();
    trainers::Setup other = setup(settings);
    other.network->load_state(trained.model);
    save_weights(*other.network, other.data.dataset->sample_shape(), foreign,
                 read_weight_names("torch"), {});
  }
  // Steps that are too small to change a weight: the mean stays where it began.
  const RunConfig still = config({"optimizer={sgd: {lr: 1e-30}}", "train.ema=0.9"});
  for (const std::string& file : {before.last().string(), foreign}) {
    const RunFolder folder{root_ / fs::path(file).stem()};
    folder.create();
    const StopSignals signals;
    Trainer trainer(still, setup(still), folder, progress_, signals);
    trainer.init_from(file);
    ASSERT_EQ(trainer.run(), 0);
    const Checkpoint after = load_checkpoint(folder.last().string());
    for (const std::string name : {"0.weight", "6.weight"}) {
      const Array difference = abs(after.model.at(name) - trained.model.at(name));
      EXPECT_LT(max(difference).item<double>(), 1e-6) << file << " " << name;
    }
  }
}

TEST_F(RunFeatures, AveragesWeights) {
  const Checkpoint plain = result("plain", {});
  const Checkpoint mean = result("mean", {"train.ema=0.5"});
  ASSERT_FALSE(mean.weights.empty());
  // The weights take the same way; what is used is their mean.
  for (const auto& [name, array] : plain.model) {
    EXPECT_EQ(array.to_bytes(), mean.weights.at(name).to_bytes()) << name;
  }
  EXPECT_NE(plain.model.at("0.weight").to_bytes(), mean.model.at("0.weight").to_bytes());
  EXPECT_EQ(plain.model.at("1.running_mean").to_bytes(),
            mean.model.at("1.running_mean").to_bytes());
  // A decay of 0.1 in the first steps, (1 + t) / (10 + t), never lets the mean go far.
  EXPECT_LT(largest_difference(plain, mean), 0.1);
}

TEST_F(RunFeatures, TheMeanOfTwoStepsIsTheFormula) {
  const std::vector<std::string> one = {"train.overfit_batches=1", "train.epochs=1",
                                        "train.ema=0.5"};
  std::vector<std::string> two = one;
  two[1] = "train.epochs=2";
  two.push_back("optimizer.schedule=constant");
  std::vector<std::string> first = one;
  first.push_back("optimizer.schedule=constant");
  const Checkpoint a = result("a", first), b = result("b", two);
  const double decay = 2.0 / 11;  // before the second update: (1 + 1) / (10 + 1)
  const Array wanted = decay * a.model.at("0.weight") + (1 - decay) * b.weights.at("0.weight");
  EXPECT_LT(max(abs(wanted - b.model.at("0.weight"))).item<double>(), 1e-6);
}

TEST_F(RunFeatures, AveragingResumesWithTheSameBytes) { expect_resumes({"train.ema=0.9"}); }

TEST_F(RunFeatures, GuardsLeaveGoodStepsAlone) {
  const RunFolder stop = run("stop", config());
  const RunFolder skip = run("skip", config({"train.on_nan=skip"}));
  for (const auto& [name, array] : load_checkpoint(stop.last().string()).model) {
    EXPECT_EQ(array.to_bytes(), load_checkpoint(skip.last().string()).model.at(name).to_bytes());
  }
}

// One example of the training split is not finite.
std::shared_ptr<const data::Dataset> with_bad_example() {
  data::DatasetInfo info;
  info.class_names = {"top", "middle", "bottom"};
  data::Split train = images(44, 0);
  HostTensor x(float32, {44, 6, 6, 1});
  for (size_t i = 0; i < x.as<float>().size(); ++i) {
    x.as<float>()[i] = static_cast<float>(train.x.as<uint8_t>()[i]) / 255;
  }
  x.as<float>()[17 * 36 + 5] = std::numeric_limits<float>::infinity();
  train.x = std::move(x);
  return data::Dataset::from_memory(info, {{"train", std::move(train)}});
}

TEST_F(RunFeatures, SkipsABatchThatIsNotFinite) {
  const RunConfig settings =
      config({"data.augment=[]", "data.normalize=none", "train.on_nan=skip"});
  const RunFolder folder{root_ / "a"};
  folder.create();
  progress_.log_to(folder.log());
  const StopSignals signals;
  Trainer trainer(settings, setup(settings, with_bad_example()), folder, progress_, signals);
  EXPECT_EQ(trainer.run(), 0);
  for (const auto& [name, array] : load_checkpoint(folder.last().string()).model) {
    EXPECT_TRUE(all(isfinite(array)).item<bool>()) << name;
  }
  EXPECT_THAT(read_file(folder.log()), HasSubstr("the loss is nan: the input holds inf or nan in "
                                                 "row 17 of the training split; left out"));
}

// A validation loss of nan is no best one, and its run goes on to the end.
TEST_F(RunFeatures, TakesNoLossForTheBestThatIsNotFinite) {
  const RunConfig settings = config(
      {"data.augment=[]", "data.normalize=none", "train.patience=2", "train.monitor=val.loss"});
  data::DatasetInfo info;
  info.class_names = {"top", "middle", "bottom"};
  std::map<std::string, data::Split> splits;
  for (const bool val : {false, true}) {
    data::Split split{HostTensor(float32, {12, 6, 6, 1}), HostTensor(int32, {12})};
    std::fill(split.x.as<float>().begin(), split.x.as<float>().end(), val ? INFINITY : 0.5f);
    std::fill(split.y.as<int32_t>().begin(), split.y.as<int32_t>().end(), val ? 1 : 0);
    splits[val ? "val" : "train"] = std::move(split);
  }
  const RunFolder folder{root_ / "a"};
  folder.create();
  progress_.log_to(folder.log());
  const StopSignals signals;
  Trainer trainer(settings, setup(settings, data::Dataset::from_memory(info, std::move(splits))),
                  folder, progress_, signals);
  EXPECT_EQ(trainer.run(), 0);
  EXPECT_THAT(read_file(folder.log()),
              HasSubstr("stopped early: val.loss has not been a finite number for 2 reports"));
  EXPECT_FALSE(fs::exists(folder.best()));
  EXPECT_THAT(read_file(folder.summary()), Not(HasSubstr("\"best\"")));
}

TEST_F(RunFeatures, StopNamesLayerAndRows) {
  const RunConfig settings = config({"data.augment=[]", "data.normalize=none"});
  const RunFolder folder{root_ / "a"};
  folder.create();
  const StopSignals signals;
  Trainer trainer(settings, setup(settings, with_bad_example()), folder, progress_, signals);
  try {
    trainer.run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDiverged);
    EXPECT_THAT(error.what(), HasSubstr("the input holds inf or nan in row 17"));
  }
  // Nothing of the step stays.
  for (const auto& [name, array] : trainer.network().state()) {
    EXPECT_TRUE(all(isfinite(array)).item<bool>()) << name;
  }
}

TEST_F(RunFeatures, FindsTheLayerThatOverflows) {
  const RunConfig settings = config({"model[1]=relu"});
  const trainers::Setup parts = setup(settings);
  nn::NamedArrays weights = parts.network->state();
  weights.at("6.bias") = Array::from(std::vector<float>{0, INFINITY, 0}, {3});
  parts.network->load_state(weights);
  data::Loader loader(parts.data.dataset, "train", {.batch_size = 8});
  const data::Batch batch = *loader.next();
  const Array key = random::key(0);
  EXPECT_EQ(find_not_finite(*parts.network, batch, key, "float32"),
            "parameter 6.bias holds inf or nan since an update before");
  weights.at("6.bias") = Array::from(std::vector<float>{0, 0, 0}, {3});
  weights.at("6.weight") = weights.at("6.weight") * 3e38f;
  parts.network->load_state(weights);
  EXPECT_THAT(find_not_finite(*parts.network, batch, key, "float32"),
              HasSubstr("layer 6 (Linear) gives inf or nan for all 8 rows of the batch"));
}

TEST_F(RunFeatures, RollsBackWithALowerRate) {
  // A rate that overflows at once, and is halved below that only after some attempts.
  const RunConfig settings =
      config({"optimizer={sgd: {lr: 1e30}}", "train.on_nan=rollback", "train.checkpoint_steps=1"});
  const RunFolder folder{root_ / "a"};
  folder.create();
  progress_.log_to(folder.log());
  const StopSignals signals;
  Trainer trainer(settings, setup(settings), folder, progress_, signals);
  try {
    trainer.run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDiverged);
    EXPECT_THAT(error.what(), HasSubstr("The run went back 5 times."));
  }
  EXPECT_THAT(read_file(folder.log()), HasSubstr("back to step"));
  EXPECT_EQ(load_checkpoint(folder.last().string()).state.rollbacks, 5);
}

TEST_F(RunFeatures, EndsByTheClock) {
  const RunFolder folder = run("a", config({"train.epochs=100000", "train.max_minutes=0.02"}));
  EXPECT_LT(load_checkpoint(folder.last().string()).state.epoch, 100000);
}

TEST_F(RunFeatures, KeepsCheckpointsForGood) {
  const RunFolder folder =
      run("a", config({"train.epochs=4", "train.keep_every=2", "train.report_every=4"}));
  EXPECT_EQ(load_checkpoint(folder.of_epoch(2).string()).state.epoch, 2);
  EXPECT_EQ(load_checkpoint(folder.of_epoch(4).string()).state.epoch, 4);
  EXPECT_FALSE(fs::exists(folder.of_epoch(3)));
}

TEST_F(RunFeatures, OverfitsAFewBatches) {
  const Checkpoint end =
      result("a", {"train.overfit_batches=1", "train.epochs=60", "model[5]={dropout: 0}",
                   "optimizer.schedule=constant", "train.monitor=train.loss"});
  EXPECT_EQ(end.state.step, 60);
  EXPECT_LT(end.state.best, 0.05);
}

TEST_F(RunFeatures, SavesWhenAskedTo) {
  const RunConfig settings = config({"train.epochs=1"});
  const RunFolder folder{root_ / "a"};
  folder.create();
  const StopSignals signals;
  Trainer trainer(settings, setup(settings), folder, progress_, signals);
  std::raise(SIGUSR1);
  EXPECT_EQ(trainer.run(), 0);
  EXPECT_TRUE(fs::exists(folder.previous()));  // one was saved before the last
  EXPECT_EQ(load_checkpoint(folder.previous().string()).state.step, 1);
}

}  // namespace
}  // namespace mica::trainers
