// Figures of evaluations against scikit-learn, SciPy and NumPy (fixtures/judge.txt), and what
// happens at the edges: one row, classes that never occur, outputs that are no numbers.
#include "trainers/judge/judge.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/runtime/parallel.h"
#include "nn/module.h"
#include "nn/registry.h"
#include "tests/fixtures/fixtures.h"
#include "trainers/evaluate.h"
#include "trainers/judge/files.h"
#include "trainers/judge/report.h"
#include "trainers/value_charts.h"

namespace mica::trainers {
namespace {

using fixtures::Case;
using testing::HasSubstr;

Outputs class_outputs(int64_t classes, const std::vector<float>& probabilities,
                      const std::vector<int64_t>& labels) {
  Outputs outputs;
  outputs.split = "test";
  outputs.n = static_cast<int64_t>(labels.size());
  outputs.width = classes;
  outputs.classes = true;
  outputs.values = outputs.scores = probabilities;
  outputs.labels = labels;
  for (int64_t row = 0; row < outputs.n; ++row) {
    const auto own = std::span(probabilities)
                         .subspan(static_cast<size_t>(row * classes), static_cast<size_t>(classes));
    outputs.predicted.push_back(highest(own, 1)[0]);
    const double truth = outputs.probability(row, labels[static_cast<size_t>(row)]);
    outputs.losses.push_back(-std::log(truth));
  }
  for (int64_t c = 0; c < classes; ++c) outputs.names.push_back(fmt::format("c{}", c));
  outputs.weights.assign(labels.size(), 1.0);
  return outputs;
}

Outputs value_outputs(int64_t width, const std::vector<float>& prediction,
                      const std::vector<float>& truth) {
  Outputs outputs;
  outputs.split = "test";
  outputs.width = width;
  outputs.n = static_cast<int64_t>(truth.size()) / width;
  outputs.values = prediction;
  outputs.targets = truth;
  for (int64_t k = 0; k < width; ++k) outputs.names.push_back(fmt::format("t{}", k));
  outputs.losses.assign(static_cast<size_t>(outputs.n), 1.0);
  outputs.weights = outputs.losses;
  return outputs;
}

void expect_equal(const Judgement& judgement, const Case& c, const std::string& name) {
  const double wanted = c.array(name).item<double>();
  EXPECT_NEAR(judgement.find(name).value, wanted, 1e-9 * (1 + std::abs(wanted))) << name;
}

void expect_average(const ClassScore& score, const std::vector<double>& wanted) {
  EXPECT_NEAR(score.precision, wanted[0], 1e-12);
  EXPECT_NEAR(score.recall, wanted[1], 1e-12);
  EXPECT_NEAR(score.f1, wanted[2], 1e-12);
}

void check_classes(const Case& c) {
  const Array& p = c.array("probabilities");
  const Outputs outputs =
      class_outputs(p.shape()[1], p.to_vector<float>(), c.array("labels").to_vector<int64_t>());
  const Judgement judgement = judge(outputs);
  for (const char* name : {"accuracy", "loss", "brier", "ece", "roc_auc"}) {
    expect_equal(judgement, c, name);
  }
  if (outputs.width > 3) expect_equal(judgement, c, "top3");
  const Interval interval = judgement.find("accuracy").interval;
  EXPECT_NEAR(interval.low, c.array("accuracy_interval").to_vector<double>()[0], 1e-9);
  EXPECT_NEAR(interval.high, c.array("accuracy_interval").to_vector<double>()[1], 1e-9);
  const auto confusion = c.array("confusion").to_vector<int64_t>();
  const auto precision = c.array("precision").to_vector<double>();
  const auto recall = c.array("recall").to_vector<double>();
  const auto f1 = c.array("f1").to_vector<double>();
  const auto auc = c.array("auc").to_vector<double>();
  for (size_t k = 0; k < judgement.per_class.size(); ++k) {
    const ClassReport& report = judgement.per_class[k];
    EXPECT_NEAR(report.score.precision, precision[k], 1e-12);
    EXPECT_NEAR(report.score.recall, recall[k], 1e-12);
    EXPECT_NEAR(report.score.f1, f1[k], 1e-12);
    EXPECT_EQ(std::isnan(report.auc), auc[k] < 0);
    EXPECT_FALSE(std::abs(report.auc - auc[k]) > 1e-9 && auc[k] >= 0);
    for (size_t other = 0; other < judgement.per_class.size(); ++other) {
      EXPECT_EQ(judgement.counts->confusion(static_cast<int64_t>(k), static_cast<int64_t>(other)),
                confusion[k * judgement.per_class.size() + other]);
    }
  }
  expect_average(judgement.macro, c.array("macro").to_vector<double>());
  expect_average(judgement.weighted, c.array("weighted").to_vector<double>());
  EXPECT_NEAR(judgement.find("macro_f1").value, judgement.macro.f1, 1e-12);
  EXPECT_NEAR(judgement.find("weighted_f1").value, judgement.weighted.f1, 1e-12);
  for (const Figure& figure : judgement.figures) {
    EXPECT_LE(figure.interval.low, figure.value + 1e-12) << figure.name;
    EXPECT_GE(figure.interval.high, figure.value - 1e-12) << figure.name;
  }
}

void check_values(const Case& c) {
  const Judgement judgement =
      judge(value_outputs(c.array("truth").shape()[1], c.array("prediction").to_vector<float>(),
                          c.array("truth").to_vector<float>()));
  for (const char* name : {"mse", "rmse", "mae", "median_error", "bias", "r2"}) {
    expect_equal(judgement, c, name);
    const Figure& figure = judgement.find(name);
    EXPECT_LT(figure.interval.low, figure.value) << name;
    EXPECT_GT(figure.interval.high, figure.value) << name;
  }
}

TEST(Judge, EqualsScikitLearn) {
  const std::vector<Case> cases = fixtures::read_cases("judge.txt");
  ASSERT_EQ(cases.size(), 7u);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.line);
    if (c.kind == "classes")
      check_classes(c);
    else
      check_values(c);
  }
}

TEST(Judge, TakesASingleRow) {
  const Judgement one = judge(class_outputs(3, {0.2f, 0.7f, 0.1f}, {1}));
  EXPECT_EQ(one.find("accuracy").value, 1);
  EXPECT_EQ(one.find("accuracy").interval.high, 1);
  EXPECT_NEAR(one.find("accuracy").interval.low, 0.2065, 1e-4);  // 1 / (1 + 1.96^2)
  EXPECT_TRUE(std::isnan(one.find("roc_auc").value));
  EXPECT_TRUE(to_json(one)["roc_auc"].is_null());

  const Judgement value = judge(value_outputs(1, {2}, {5}));
  EXPECT_EQ(value.find("mae").value, 3);
  EXPECT_TRUE(std::isnan(value.find("r2").value));
  EXPECT_THROW(value.find("r3"), Error);
}

TEST(Judge, CountsAClassThatNeverOccursAsNoPartOfTheMean) {
  const Outputs outputs = class_outputs(3, {1, 0, 0, 0, 0, 1}, {0, 0});
  const Judgement judgement = judge(outputs);
  EXPECT_EQ(judgement.macro.recall, 0.5);
  EXPECT_EQ(judgement.per_class[1].score.support, 0);
  EXPECT_TRUE(std::isnan(judgement.per_class[1].recall.low));
  EXPECT_TRUE(std::isnan(judgement.per_class[2].auc));
  EXPECT_EQ(confusion_csv(*judgement.counts, outputs.names, true),
            "truth,c0,c1,c2\nc0,0.5,0,0.5\nc1,,,\nc2,,,\n");
  EXPECT_THAT(describe(judgement, outputs, "m.h5"), HasSubstr("1  c0 -> c2  (50.0% of c0)"));
}

TEST(Judge, GivesTheSameIntervalsWithAnyNumberOfThreads) {
  const Case c = fixtures::read_cases("judge.txt")[0];
  const Outputs outputs = class_outputs(5, c.array("probabilities").to_vector<float>(),
                                        c.array("labels").to_vector<int64_t>());
  set_threads(1);
  const std::string alone = to_json(judge(outputs)).dump();
  set_threads(3);
  const std::string together = to_json(judge(outputs)).dump();
  set_threads(0);
  EXPECT_EQ(alone, together);
}

TEST(Judge, BootstrapFindsTheErrorOfAMean) {
  // 0 ... 99 has deviation 28.87, so that a mean of 100 of them has 2.887.
  const std::vector<Interval> mean =
      bootstrap(100, 1, 100, [](Counts counts, std::span<double> out) {
        out[0] = 0;
        for (size_t i = 0; i < counts.size(); ++i)
          out[0] += counts[i] * static_cast<double>(i) / 100;
      });
  EXPECT_NEAR(mean[0].low, 49.5 - 1.96 * 2.887, 0.6);
  EXPECT_NEAR(mean[0].high, 49.5 + 1.96 * 2.887, 0.6);
  EXPECT_EQ(resamples_for(100), 1000);
  EXPECT_EQ(resamples_for(1'000'000), 200);
}

TEST(Judge, OrdersTheMisclassifiedByConfidence) {
  const Outputs outputs =
      class_outputs(2, {0.9f, 0.1f, 0.4f, 0.6f, 0.2f, 0.8f, 0.7f, 0.3f}, {0, 0, 0, 1});
  EXPECT_THAT(mistakes(outputs), testing::ElementsAre(2, 3, 1));
  EXPECT_THAT(largest_errors(value_outputs(1, {1, 5, 2}, {1, 2, 4})),
              testing::ElementsAre(1, 2, 0));
}

TEST(JudgeFiles, HoldALineForEachRow) {
  Outputs outputs = class_outputs(3, {0.5f, 0.25f, 0.25f, 0.125f, 0.75f, 0.125f}, {0, 2});
  outputs.names = {"a", "b, \"c\"", "d"};
  EXPECT_EQ(predictions_csv(outputs),
            "row,truth,prediction,correct,confidence,truth_probability,loss,prediction_2,"
            "confidence_2,prediction_3,confidence_3\n"
            "0,a,a,1,0.5,0.5,0.693147,\"b, \"\"c\"\"\",0.25,d,0.25\n"
            "1,d,\"b, \"\"c\"\"\",0,0.75,0.125,2.07944,a,0.125,d,0.125\n");
  EXPECT_EQ(predictions_csv(value_outputs(1, {2.5f, 0.1f}, {2, 0})),
            "row,truth,prediction,error,loss\n0,2,2.5,0.5,1\n1,0,0.1,0.1,1\n");
  EXPECT_THAT(predictions_csv(value_outputs(2, {1, 2}, {1, 4})),
              HasSubstr("row,truth_t0,prediction_t0,error_t0,truth_t1"));
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(999), "999");
}

TEST(ValueCharts, LeaveOutWhatIsNotKnown) {
  const std::vector<TargetPoints> points = {{"y", {1, 1}, {1, 2}}};
  EXPECT_EQ(value_charts("test", points, 0.5, 1).predicted.title,
            "Prediction and truth on 'test' (R² 0.5000)");
  EXPECT_EQ(value_charts("test", points, kUnknown, 1).predicted.title,
            "Prediction and truth on 'test'");
}

// Gives its input back, times a factor.
class Scaled : public nn::ModuleWith<Scaled> {
 public:
  float factor = 1;
  NO_FIELDS(Scaled)
  Array forward(const Array& x) override { return x * factor; }
  std::string_view type_name() const override { return "Scaled"; }
};

std::shared_ptr<const data::Dataset> three_rows(data::Task task, const HostTensor& y) {
  data::DatasetInfo info;
  info.task = task;
  if (task == data::Task::kClassification) info.class_names = {"a", "b"};
  return data::Dataset::from_memory(
      info, {{"test", {HostTensor::from<float>({2, 0, 0, 1, 3, 1}, {3, 2}), y}}});
}

std::unique_ptr<nn::Loss> loss_named(std::string_view name) {
  return find_row(nn::loss_rows(), name)->make();
}

TEST(Collect, TurnsScoresIntoProbabilities) {
  Scaled network;
  const auto dataset =
      three_rows(data::Task::kClassification, HostTensor::from<int32_t>({0, 0, 0}, {3}));
  const Outputs outputs = collect(network, *loss_named("cross_entropy"), dataset, "test", {}, 2);
  EXPECT_EQ(outputs.n, 3);
  EXPECT_THAT(outputs.predicted, testing::ElementsAre(0, 1, 0));
  EXPECT_NEAR(outputs.confidence(1), 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(outputs.losses[1], std::log(1 + std::exp(1.0)), 1e-6);
  EXPECT_TRUE(network.is_training());

  auto weighted = loss_named("cross_entropy");
  fixtures::fill(weighted->settings(), {{"weight", "4,1"}});
  EXPECT_THAT(collect(network, *weighted, dataset, "test", {}, 2).weights,
              testing::ElementsAre(4, 4, 4));
}

TEST(Collect, NamesTheRowsWhoseOutputIsNoNumber) {
  Scaled network;
  network.factor = NAN;
  const auto dataset =
      three_rows(data::Task::kClassification, HostTensor::from<int32_t>({0, 0, 0}, {3}));
  try {
    collect(network, *loss_named("cross_entropy"), dataset, "test", {}, 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDiverged);
    EXPECT_THAT(error.what(), HasSubstr("nan for 3 of the 3 examples of 'test' (first: row 0)"));
  }
}

TEST(Collect, BringsValuesBackToTheirOwnUnits) {
  Scaled network;
  const auto dataset = three_rows(data::Task::kRegression,
                                  HostTensor::from<float>({10, 20, 10, 20, 16, 20}, {3, 2}));
  data::Normalization normalization;
  normalization.target_mean = {10, 20};
  normalization.target_std = {2, 0};
  const Outputs outputs = collect(network, *loss_named("mse"), dataset, "test", normalization, 2);
  EXPECT_THAT(outputs.values, testing::ElementsAre(14, 20, 10, 21, 16, 21));
  EXPECT_THAT(outputs.targets, testing::ElementsAre(10, 20, 10, 20, 16, 20));
  EXPECT_THAT(outputs.losses, testing::ElementsAre(2, 0.5, 0.5));
  EXPECT_THAT(outputs.names, testing::ElementsAre("target_1", "target_2"));
}

TEST(Collect, JudgesSeveralYesOrNoWithTheirAccuracy) {
  Scaled network;
  const auto dataset =
      three_rows(data::Task::kRegression, HostTensor::from<float>({1, 1, 0, 1, 0, 0}, {3, 2}));
  const Outputs outputs = collect(network, *loss_named("bce_with_logits"), dataset, "test", {}, 2);
  EXPECT_TRUE(outputs.yes_or_no);
  const Judgement judgement = judge(outputs);  // of scores 2 0, 0 1 and 3 1; a score of 0 is no yes
  EXPECT_DOUBLE_EQ(judgement.find("accuracy").value, (2.0 / 3 + 1.0 / 3) / 2);
  EXPECT_EQ(judgement.figures[0].name, "accuracy");
  ASSERT_EQ(judgement.per_target.size(), 2u);
  EXPECT_EQ(judgement.per_target[1].figures[0].name, "accuracy");
  EXPECT_DOUBLE_EQ(judgement.per_target[1].figures[0].value, 1.0 / 3);
  EXPECT_THAT(describe(judgement, outputs, "m"), HasSubstr("target       accuracy         rmse"));
  // The scores of a run are of the same probabilities.
  double squares = 0;
  for (size_t i = 0; i < 6; ++i) squares += std::pow(outputs.values[i] - outputs.targets[i], 2);
  const Scores scores = evaluate(network, *loss_named("bce_with_logits"), dataset, "test", {}, 2);
  EXPECT_NEAR(scores.find("mse"), squares / 6, 1e-6);
  const Judgement numbers = judge(collect(network, *loss_named("mse"), dataset, "test", {}, 2));
  EXPECT_EQ(numbers.per_target[1].figures[0].name, "rmse");
  EXPECT_THROW(numbers.find("accuracy"), Error);
}

// In batches of any size, and in the targets' own units.
TEST(Evaluate, KeepsPointsOfSomeRows) {
  constexpr int64_t rows = 1234;
  const data::SyntheticRegression made = data::synthetic_regression(rows, 1, 0, 1);
  const HostTensor y = made.dataset->split("train").y;
  Scaled network;
  data::Normalization normalization;
  normalization.target_mean = {3};
  normalization.target_std = {2};
  for (const int64_t batch_size : {7, 2000}) {
    const Scores scores =
        evaluate(network, *loss_named("mse"), made.dataset, "train", normalization, batch_size);
    ASSERT_EQ(scores.points.size(), 1u);
    EXPECT_EQ(scores.points[0].name, "y");
    ASSERT_EQ(scores.points[0].truth.size(), 500u);
    for (size_t i = 0; i < 500; ++i) {
      const float truth = y.as<float>()[i * 1234 / 500];
      EXPECT_NEAR(scores.points[0].truth[i], truth, 1e-5);
    }
  }
  EXPECT_TRUE(evaluate(network, *loss_named("bce_with_logits"), made.dataset, "train", {}, 32)
                  .points.empty());
}

TEST(Collect, JudgesASingleYesOrNoAsTwoClasses) {
  Scaled network;
  data::DatasetInfo info;
  info.task = data::Task::kRegression;
  const auto dataset =
      data::Dataset::from_memory(info, {{"test",
                                         {HostTensor::from<float>({2, -1, 0}, {3, 1}),
                                          HostTensor::from<float>({1, 1, 0}, {3, 1})}}});
  const Outputs outputs = collect(network, *loss_named("bce_with_logits"), dataset, "test", {}, 2);
  EXPECT_TRUE(outputs.classes);
  EXPECT_THAT(outputs.names, testing::ElementsAre("no", "yes"));
  EXPECT_THAT(outputs.labels, testing::ElementsAre(1, 1, 0));
  EXPECT_THAT(outputs.predicted, testing::ElementsAre(1, 0, 0));
  EXPECT_NEAR(outputs.confidence(0), 1 / (1 + std::exp(-2.0)), 1e-6);
}

}  // namespace
}  // namespace mica::trainers
