// mica config: what a config says with all defaults, and what one may say.
#include "trainers/config.h"
#include "trainers/cli/cli.h"

namespace mica::trainers {
namespace {

struct ConfigOptions {
  std::string config;
  CommonOptions common;
};

}  // namespace

void add_config(CLI::App& app, Action& action) {
  auto options = std::make_shared<ConfigOptions>();
  CLI::App* verb = app.add_subcommand("config", "Check and print configs");
  verb->require_subcommand(1);
  CLI::App* print =
      verb->add_subcommand("print", "Check a config and print it with every default filled in");
  print->add_option("config", options->config, "Config file")->required()->type_name("CONFIG");
  options->common.add_set(*print);
  print->callback([&action, options] {
    action = [options] {
      fmt::print("{}", load_config(options->config, options->common.set).to_yaml());
      return 0;
    };
  });
  CLI::App* schema = verb->add_subcommand("schema", "Print every key, its default and meaning");
  schema->callback([&action] {
    action = [] {
      fmt::print("{}", describe_schema());
      return 0;
    };
  });
}

}  // namespace mica::trainers
