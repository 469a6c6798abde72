// Autoencoders: runs whose target is the example itself.
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "tests/trainers/small_run.h"
#include "trainers/judge/files.h"
#include "trainers/judge/report.h"
#include "trainers/predict/predictor.h"
#include "trainers/trained.h"

namespace mica::trainers {
namespace {
using testing::HasSubstr;

constexpr const char* kAutoencoder =
    "seed: 3\n"
    "data: {path: unused.h5, batch_size: 8, normalize: unit, reconstruct: true, augment: [flip]}\n"
    "model: [flatten, linear: 12, relu, linear: 36, reshape: [6, 6, 1]]\n"
    "loss: mse\n"
    "optimizer: {adam: {lr: 0.01}, schedule: cosine}\n"
    "train: {epochs: 3, checkpoint_seconds: 0}\n";

RunConfig autoencoder(const std::vector<std::string>& overrides = {}) {
  return parse_config(kAutoencoder, "c.yaml", "/", overrides);
}

std::shared_ptr<const data::Dataset> pictures() { return data::Dataset::reconstructing(dataset()); }

Setup setup_of(const RunConfig& config, std::shared_ptr<const data::Dataset> data) {
  Setup setup;
  setup.network = build_network(config, data->sample_shape(), wanted_output(*data));
  setup.normalization = data::normalization(*data, config.data.normalize);
  setup.data.dataset = std::move(data);
  return setup;
}

class Reconstruct : public SmallRun {
 protected:
  RunFolder train(const std::string& name, const RunConfig& config,
                  const std::shared_ptr<const data::Dataset>& data = pictures()) {
    const RunFolder folder{root_ / name};
    folder.create();
    const StopSignals signals;
    Trainer trainer(config, setup_of(config, data), folder, progress_, signals);
    EXPECT_EQ(trainer.run(), 0);
    return folder;
  }
};

TEST_F(Reconstruct, TrainsJudgesAndDraws) {
  set_threads(1);
  const RunConfig config = autoencoder({"train.epochs=15"});
  const RunFolder one = train("a", config);
  set_threads(2);
  const RunFolder two = train("b", config);
  EXPECT_EQ(read_file(one.last()), read_file(two.last()));
  const TrainedModel model = open_trained(one.path);
  EXPECT_EQ(model.checkpoint.task, "regression");
  const Outputs outputs = collect(*model.network, *model.config.loss, pictures(), "test",
                                  model.checkpoint.normalization, 8);
  const Judgement judgement = judge(outputs);
  EXPECT_GT(judgement.find("r2").value, 0.3);
  EXPECT_NEAR(judgement.find("mse").value, 255 * 255 * judgement.find("loss").value, 1);
  EXPECT_TRUE(judgement.per_target.empty());
  const Scores scores = evaluate(*model.network, *model.config.loss, pictures(), "test",
                                 model.checkpoint.normalization, 8);
  EXPECT_NEAR(scores.find("r2"), judgement.find("r2").value, 1e-9);
  EXPECT_NEAR(scores.find("mse"), judgement.find("mse").value, 1e-6);
  EXPECT_THAT(describe(judgement, outputs, "m"), HasSubstr("reconstructed worst\n    row  "));
  write_evaluation(root_ / "e", judgement, outputs, *pictures(), "m");
  for (const char* name : {"reconstructions.png", "worst_reconstructions.png", "report.json"}) {
    EXPECT_TRUE(fs::exists(root_ / "e" / name)) << name;
  }
  EXPECT_FALSE(fs::exists(root_ / "e" / "residuals.png"));
  EXPECT_THAT(read_file(root_ / "e" / "predictions.csv"), HasSubstr("row,rmse,mae,largest_error"));
}

// The batch's x stands in two places of the step.
TEST_F(Reconstruct, TakesTheStepsOfARegressionOntoTheSameNumbers) {
  const data::SyntheticRegression made = data::synthetic_regression(40, 5, 0, 1);
  const data::Split& split = made.dataset->split("train");
  data::DatasetInfo info;
  info.task = data::Task::kRegression;
  const auto copied = data::Dataset::from_memory(info, {{"train", {split.x, split.x}}});
  const std::vector<std::string> overrides = {"model=[linear: 3, tanh, linear: 5]",
                                              "data.augment=[]", "data.normalize=none",
                                              "train.keep=last"};
  const RunFolder one = train("a", autoencoder(overrides), data::Dataset::reconstructing(copied));
  const RunFolder two = train("b", autoencoder(overrides), copied);
  const Checkpoint reconstructed = load_checkpoint(one.last().string());
  const Checkpoint regressed = load_checkpoint(two.last().string());
  for (const auto& [name, array] : reconstructed.model) {
    EXPECT_EQ(array.to_bytes(), regressed.model.at(name).to_bytes()) << name;
  }
}

TEST_F(Reconstruct, PredictsPicturesInTheirOwnUnits) {
  for (const char* loss : {"mse", "bce_with_logits"}) {
    const RunFolder folder = train(loss, autoencoder({fmt::format("loss={}", loss)}));
    const TrainedModel model = open_trained(folder.path);
    const Outputs outputs = collect(*model.network, *model.config.loss, pictures(), "test",
                                    model.checkpoint.normalization, 8);
    std::string text;
    Predictor predictor(
        model, {}, [&](const std::string& line) { text += line; },
        [](const std::string& message) { FAIL() << message; });
    Example example{"digit.png", -1, {}};
    const std::span<const float> pixels = std::span(outputs.targets).first(36);
    example.values.assign(pixels.begin(), pixels.end());
    predictor.add(example);
    predictor.flush();
    const double first = std::stod(text.substr(text.find(",,") + 2));
    EXPECT_NEAR(first, outputs.values[0], 0.01) << loss;
    EXPECT_GT(first, 5) << loss;
  }
}

std::string problem_of(const std::vector<std::string>& overrides) {
  try {
    const RunConfig config = autoencoder(overrides);
    check_loss(config, *pictures());
    setup_of(config, pictures());
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST_F(Reconstruct, SaysWhatDoesNotFit) {
  EXPECT_EQ(problem_of({}), "");
  EXPECT_THAT(problem_of({"model=[flatten, linear: 36]"}),
              HasSubstr("the model ends with shape (1, 36), but the data wants 36 outputs for each "
                        "example: (1, 6, 6, 1); end it with 'reshape: [6, 6, 1]'"));
  EXPECT_THAT(problem_of({"loss=cross_entropy"}),
              HasSubstr("is for classification, but data.reconstruct is for regression (choose "
                        "from: mse, half_mse, l1, huber, bce_with_logits)"));
  EXPECT_THAT(problem_of({"loss=bce_with_logits", "data.normalize=channel"}),
              HasSubstr("write 'normalize: unit' into 'data', or choose mse"));
}

TEST(JudgePictures, CountsThemAsWholes) {
  Outputs outputs;
  outputs.split = "test";
  outputs.n = 2;
  outputs.width = 3;
  outputs.together = true;
  outputs.targets = {0, 0, 7, 4, 2, 7};  // about their means: 2, 1 and 0
  outputs.values = {0, 0, 7, 3, 2, 9};
  outputs.losses = outputs.weights = {1, 1};
  const Judgement judgement = judge(outputs);
  EXPECT_DOUBLE_EQ(judgement.find("mse").value, 5.0 / 6);
  EXPECT_DOUBLE_EQ(judgement.find("mae").value, 0.5);
  EXPECT_DOUBLE_EQ(judgement.find("r2").value, 0.5);  // 1 - 5 / (2 * 4 + 2 * 1)
  EXPECT_THAT(largest_errors(outputs), testing::ElementsAre(1, 0));
  EXPECT_DOUBLE_EQ(row_errors(outputs)[1], std::sqrt(5.0 / 3));
}

}  // namespace
}  // namespace mica::trainers
