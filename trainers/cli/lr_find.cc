// mica lr-find: a learning rate to begin with.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepared_file.h"
#include "trainers/draw/chart.h"
#include "trainers/learning_rates.h"

namespace mica::trainers {
namespace {

struct FindOptions {
  std::string config;
  std::string plot;
  RateSweepOptions sweep;
  bool json = false;
  CommonOptions common;
};

void draw(const RateSweep& sweep, const std::string& path) {
  draw::Plot plot;
  plot.title = "Loss by learning rate";
  plot.x = {.label = "learning rate", .logarithmic = true};
  plot.y = {.label = "loss"};
  plot.series = {{.name = "of the batch",
                  .x = sweep.rates,
                  .y = sweep.losses,
                  .style = draw::Style::kFaintLine,
                  .color = 0},
                 {.name = "running mean", .x = sweep.rates, .y = sweep.smoothed, .color = 0}};
  plot.marks = {{sweep.steepest, "falls fastest"}};
  draw::write_png(path, plot);
}

int find(const FindOptions& options) {
  options.common.apply();
  const RunConfig config = load_config(options.config, options.common.set);
  const PreparedFile prepared;
  Setup setup = make_setup(config, prepared.path);
  const RateSweep sweep = try_learning_rates(config, setup, options.sweep);
  if (!options.plot.empty()) draw(sweep, options.plot);
  if (options.json) {
    const nlohmann::ordered_json json = {{"steepest", sweep.steepest},
                                         {"upper", sweep.upper},
                                         {"rates", sweep.rates},
                                         {"losses", sweep.losses},
                                         {"smoothed", sweep.smoothed}};
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print(
      "the loss falls fastest at a rate of {:.1e}; up to about {:.1e} goes well ({} steps, "
      "from {:g} to {:.3g})\n",
      sweep.steepest, sweep.upper, sweep.rates.size(), sweep.rates.front(), sweep.rates.back());
  fmt::print("try: mica train {} --set optimizer.{}.lr={:.1e}\n", options.config,
             config.optimizer.type, sweep.steepest);
  if (!options.plot.empty()) fmt::print("{}\n", options.plot);
  return 0;
}

}  // namespace

void add_lr_find(CLI::App& app, Action& action) {
  auto options = std::make_shared<FindOptions>();
  CLI::App* verb = app.add_subcommand(
      "lr-find", "Find a learning rate by a short training at rates that grow step by step");
  verb->add_option("config", options->config, "Config file")->required()->type_name("CONFIG");
  verb->add_option("--from", options->sweep.from, "First rate")->capture_default_str();
  verb->add_option("--to", options->sweep.to, "Last rate")->capture_default_str();
  verb->add_option("--steps", options->sweep.steps, "Steps in all")->capture_default_str();
  verb->add_option("--plot", options->plot, "Draw the loss by rate")->type_name("FILE.png");
  verb->add_flag("--json", options->json, "One JSON object, with the loss of every step");
  options->common.add_set(*verb);
  options->common.add_machine(*verb);
  verb->callback([&action, options] { action = [options] { return find(*options); }; });
}

}  // namespace mica::trainers
