// mica bench: how fast a config trains on this machine, and where the time goes.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/eval/eval.h"
#include "core/io/file.h"
#include "core/ops/random.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"
#include "trainers/attribution.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepared_file.h"
#include "trainers/profile.h"
#include "trainers/setup.h"
#include "trainers/step.h"

namespace mica::trainers {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr int kWarmUp = 5;

struct BenchOptions {
  std::string config;
  std::vector<int64_t> input;
  int steps = 50;
  bool ops = false;
  bool json = false;
  std::string trace;
  CommonOptions common;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// Batches without end: of the config's data, or one made up for --input.
class Batches {
 public:
  virtual ~Batches() = default;
  virtual data::Batch next() = 0;
};

class LoadedBatches final : public Batches {
 public:
  explicit LoadedBatches(const RunConfig& config, const Setup& setup)
      : loader_(setup.data.dataset, "train", training_loader_options(config, setup.normalization)) {
    loader_.start(0);
  }
  data::Batch next() override {
    for (;;) {
      std::optional<data::Batch> batch = loader_.next();
      if (!batch) {
        loader_.start(++epoch_);
      } else if (batch->size() == loader_.options().batch_size || loader_.batches() == 1) {
        // A smaller last batch would be another step.
        return std::move(*batch);
      }
    }
  }

 private:
  data::Loader loader_;
  int64_t epoch_ = 0;
};

class MadeUpBatches final : public Batches {
 public:
  MadeUpBatches(const RunConfig& config, const Shape& example, const Shape& output) {
    Shape shape = {config.data.batch_size};
    shape.append(example.begin(), example.end());
    batch_.x = random::normal(shape, random::key(1));
    if (config.loss->target_kind() == nn::TargetKind::kLabels) {
      batch_.y = random::randint(0, output.back(), {config.data.batch_size}, random::key(2));
    } else {
      Shape target = output;
      target[0] = config.data.batch_size;
      batch_.y = random::normal(target, random::key(2));
    }
    batch_.rows.resize(static_cast<size_t>(config.data.batch_size));
    eval(batch_.x, batch_.y);
  }
  data::Batch next() override { return batch_; }

 private:
  data::Batch batch_;
};

// What is measured: a network, its step, and its data.
struct Bench {
  PreparedFile prepared;
  RunConfig config;
  Setup setup;
  std::unique_ptr<Batches> batches;
  std::unique_ptr<TrainingStep> step;
  double flops = 0;  // of one training step
  Attribution attribution;
};

// Forward, and again for each of the two gradients, of which the first layer with parameters
// needs only that of its weights.
double training_flops(const RunConfig& config, const std::vector<BuiltLayer>& layers,
                      const Shape& example) {
  Shape shape = {config.data.batch_size};
  shape.append(example.begin(), example.end());
  double total = 0, first = 0;
  for (const BuiltLayer& layer : layers) {
    const double flops = layer.module->flops(shape);
    total += 3 * flops;
    if (first == 0 && layer.module->parameter_count() > 0) first = flops;
    const int64_t batch = shape[0];
    shape = layer.output;
    shape[0] = batch;
  }
  return total - first;
}

void set_up(const BenchOptions& options, Bench& bench) {
  bench.config = load_config(options.config, options.common.set);
  Shape example;
  const bool classes = bench.config.loss->target_kind() == nn::TargetKind::kLabels;
  if (options.input.empty()) {
    bench.setup = make_setup(bench.config, bench.prepared.path);
    example = bench.setup.data.dataset->sample_shape();
    bench.batches = std::make_unique<LoadedBatches>(bench.config, bench.setup);
  } else {
    example = Shape(options.input.begin(), options.input.end());
    bench.setup.network = build_network(bench.config, example, {});
    Shape batch = {1};
    batch.append(example.begin(), example.end());
    bench.batches = std::make_unique<MadeUpBatches>(bench.config, example,
                                                    bench.setup.network->output_shape(batch));
  }
  const std::vector<BuiltLayer> layers =
      build_layers(bench.config.model, example, {}, bench.config.seed);
  bench.flops = training_flops(bench.config, layers, example);
  bench.attribution = Attribution(layers, example, bench.config.data.batch_size);
  bench.step = std::make_unique<TrainingStep>(bench.config, *bench.setup.network, classes);
  bench.setup.network->train();
}

struct Timing {
  std::vector<double> steps, waits;  // seconds; a step includes its wait
};

Timing run_steps(Bench& bench, int count, int64_t& number, Profile* profile = nullptr) {
  Timing timing;
  const double lr = bench.config.optimizer.rule->lr();
  for (int i = 0; i < count; ++i) {
    const Clock::time_point begin = Clock::now();
    const data::Batch batch = bench.batches->next();
    timing.waits.push_back(seconds_since(begin));
    if (profile) profile->add_span("data", begin, Clock::now());
    const Clock::time_point there = Clock::now();
    bench.step->run(batch, {.number = number++, .learning_rate = lr});
    if (profile) profile->add_span("step", there, Clock::now());
    timing.steps.push_back(seconds_since(begin));
  }
  return timing;
}

double resident_peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

Json ops_json(const Profile& profile, const Attribution& attribution, const MachineRates& rates,
              int steps) {
  Json rows = Json::array();
  for (const Profile::Row& row : profile.rows(rates)) {
    rows.push_back({{"op", row.op},
                    {"layer", attribution.find(row.op, row.shapes)},
                    {"shapes", row.shapes},
                    {"calls", static_cast<double>(row.calls) / steps},
                    {"ms", row.seconds * 1e3 / steps},
                    {"floor_ms", row.floor_seconds * 1e3 / steps}});
  }
  return rows;
}

void print_ops(const Json& rows, double step_ms) {
  constexpr const char* kRow = "{:<20} {:<18} {:>6} {:>9} {:>7} {:>9}  {}\n";
  fmt::print("\n");
  fmt::print(kRow, "op", "layer", "calls", "ms", "share", "floor ms", "shapes");
  double total = 0, floor = 0;
  for (const Json& row : rows) {
    const double ms = row["ms"].get<double>();
    total += ms;
    floor += row["floor_ms"].get<double>();
    fmt::print(kRow, row["op"].get<std::string>(), row["layer"].get<std::string>(),
               fmt::format("{:g}", row["calls"].get<double>()), fmt::format("{:.3f}", ms),
               fmt::format("{:.1f}%", 100 * ms / step_ms),
               fmt::format("{:.3f}", row["floor_ms"].get<double>()),
               row["shapes"].get<std::string>());
  }
  fmt::print(kRow, "all ops", "", "", fmt::format("{:.3f}", total),
             fmt::format("{:.1f}%", 100 * total / step_ms), fmt::format("{:.3f}", floor), "");
  fmt::print(kRow, "beside them", "", "", fmt::format("{:.3f}", step_ms - total),
             fmt::format("{:.1f}%", 100 * (1 - total / step_ms)), "",
             "building and finding the plan, data, results");
}

Json measure(const BenchOptions& options, Bench& bench, Profile& profile) {
  int64_t number = 0;
  run_steps(bench, kWarmUp, number);
  reset_peak_memory();
  const Timing timing = run_steps(bench, options.steps, number);
  const double memory = static_cast<double>(memory_use().peak) / (1 << 20);
  // The machine is measured behind this: that takes more memory than many a step.
  const double resident = resident_peak_mib();
  const MachineRates before = measure_machine();
  const bool profiled = options.ops || !options.trace.empty();
  double profiled_ms = 0;
  if (profiled) {
    profile.start();
    const Timing watched = run_steps(bench, options.steps, number, &profile);
    profile.stop();
    for (const double seconds : watched.steps) profiled_ms += seconds * 1e3 / options.steps;
  }
  // Other work may have slowed one of the measurements down.
  MachineRates rates = measure_machine();
  rates.peak_flops = std::max(rates.peak_flops, before.peak_flops);
  for (size_t i = 0; i < rates.bandwidth.size(); ++i) {
    rates.bandwidth[i] = std::max(rates.bandwidth[i], before.bandwidth[i]);
  }
  const double step = median(timing.steps);
  const auto batch = static_cast<double>(bench.config.data.batch_size);
  Json json = {{"config", bench.config.name},
               {"batch", bench.config.data.batch_size},
               {"threads", threads()},
               {"steps", options.steps},
               {"step_ms", step * 1e3},
               {"data_wait_ms", median(timing.waits) * 1e3},
               {"samples_per_second", batch / step},
               {"gflops_per_step", bench.flops * 1e-9},
               {"gflops_per_second", bench.flops * 1e-9 / step},
               {"peak_gflops", rates.peak_flops * 1e-9},
               {"share_of_peak", bench.flops / step / rates.peak_flops},
               {"arrays_peak_mib", memory},
               {"process_peak_mib", resident}};
  if (profiled) json["profiled_step_ms"] = profiled_ms;
  if (options.ops) json["ops"] = ops_json(profile, bench.attribution, rates, options.steps);
  return json;
}

int run_bench(const BenchOptions& options) {
  options.common.apply();
  Bench bench;
  set_up(options, bench);
  Profile profile;
  const Json json = measure(options, bench, profile);
  if (!options.trace.empty()) write_file(options.trace, profile.chrome_trace());
  if (options.json) {
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  const auto number = [&](const char* key) { return json[key].get<double>(); };
  fmt::print("{}: batch {}, {} thread{}, median of {} steps\n", bench.config.name,
             bench.config.data.batch_size, threads(), threads() == 1 ? "" : "s", options.steps);
  fmt::print("step       {:.3f} ms, of which waiting for data {:.3f} ms\n", number("step_ms"),
             number("data_wait_ms"));
  fmt::print("samples/s  {:.0f}\n", number("samples_per_second"));
  fmt::print("GFLOP/s    {:.1f} ({:.0f}% of the measured peak, {:.0f}), {:.3f} GFLOP a step\n",
             number("gflops_per_second"), 100 * number("share_of_peak"), number("peak_gflops"),
             number("gflops_per_step"));
  fmt::print("memory     {:.0f} MiB of arrays at the peak, {:.0f} MiB of the process\n",
             number("arrays_peak_mib"), number("process_peak_mib"));
  if (options.ops) print_ops(json["ops"], number("profiled_step_ms"));
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_subcommand(
      "bench", "Measure a config's training step: time, GFLOP/s, memory, and where the time goes");
  verb->add_option("config", options->config, "Config file")->required()->type_name("CONFIG");
  verb->add_option("--steps", options->steps, "Steps to measure")->check(CLI::Range(1, 1'000'000));
  verb->add_flag("--ops", options->ops, "A table by op: calls, time, share and floor of a step");
  verb->add_option("--trace", options->trace, "Write the steps as a Chrome trace")
      ->type_name("FILE");
  verb->add_option("--input", options->input,
                   "Shape of an example, as 28,28,1: random data instead of the config's")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  verb->add_flag("--json", options->json, "One JSON object");
  options->common.add_set(*verb);
  options->common.add_machine(*verb);
  verb->callback([&action, options] { action = [options] { return run_bench(*options); }; });
}

}  // namespace mica::trainers
