// mica config: what a config says with all defaults, and what one may say.
#include "trainers/config.h"
#include <filesystem>

#include "core/base/error.h"
#include "core/io/file.h"
#include "data/dataset.h"
#include "trainers/cli/cli.h"
#include "trainers/schema.h"
#include "trainers/setup.h"
#include "trainers/starters.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

struct ConfigOptions {
  std::string config;
  bool origin = false, plain = false, json = false;
  CommonOptions common;
};

void add_print(CLI::App& verb, Action& action) {
  auto options = std::make_shared<ConfigOptions>();
  CLI::App* print =
      verb.add_subcommand("print", "Check a config and print it with every default filled in");
  print->add_option("config", options->config, "Config file")->required()->type_name("CONFIG");
  print->add_flag("--origin", options->origin,
                  "Behind each value where it comes from: file and line, --set, or default");
  print->add_flag("--plain", options->plain, "No comments")->excludes("--origin");
  options->common.add_set(*print);
  print->callback([&action, options] {
    action = [options] {
      RunConfig config = load_config(options->config, options->common.set);
      const Comments comments = options->origin ? Comments::kOrigins : Comments::kDocs;
      fmt::print("{}", options->plain ? config.to_yaml() : print_config(config, comments));
      return 0;
    };
  });
}

void add_schema(CLI::App& verb, Action& action) {
  auto options = std::make_shared<ConfigOptions>();
  CLI::App* schema = verb.add_subcommand("schema", "Print every key, its default and meaning");
  schema->add_flag("--json", options->json, "As a JSON Schema, by which editors complete configs");
  schema->callback([&action, options] {
    action = [options] {
      fmt::print("{}", options->json ? json_schema() : describe_schema());
      return 0;
    };
  });
}

// Never over something that a user may have written.
void write_new(const std::string& path, const std::string& text) {
  if (path == "-") {
    fmt::print("{}", text);
    return;
  }
  if (fs::exists(path)) fail("{}: is there already; give another name", path);
  write_file(path, text);
  fmt::print(stderr, "wrote {}; next: mica validate {}\n", path, path);
}

void add_list(CLI::App& verb, Action& action) {
  CLI::App* list = verb.add_subcommand("ls", "List the configs that the program carries");
  list->callback([&action] {
    action = [] {
      for (const Starter& starter : starters()) {
        fmt::print("{:<20} {}\n", starter.name, summary_of(starter));
      }
      return 0;
    };
  });
}

int copy_starter(const std::string& name, const std::string& file) {
  const Starter* starter = find_starter(name);
  if (!starter) {
    std::vector<std::string> names;
    for (const Starter& each : starters()) names.emplace_back(each.name);
    fail("no config '{}'{}", name, suggestion(name, names));
  }
  const fs::path folder = file == "-" ? fs::path() : fs::path(file).parent_path();
  write_new(file.empty() ? fmt::format("{}.yaml", starter->name) : file,
            text_for(*starter, folder));
  return 0;
}

void add_copy(CLI::App& verb, Action& action) {
  auto names = std::make_shared<std::pair<std::string, std::string>>();
  CLI::App* copy = verb.add_subcommand("cp", "Copy one of them, to begin with");
  copy->add_option("name", names->first, "As `ls` lists it")->required()->type_name("NAME");
  copy->add_option("file", names->second, "Where to (default: NAME.yaml; - for standard output)")
      ->type_name("FILE");
  copy->callback(
      [&action, names] { action = [names] { return copy_starter(names->first, names->second); }; });
}

struct InitOptions {
  std::string data, out = "run.yaml", kind = "auto", task = "classification";
};

StarterOptions starter_for(const InitOptions& init) {
  StarterOptions options;
  options.kind = init.kind;
  options.classification = init.task == "classification";
  if (init.kind == "mlp" || init.kind == "linear") options.example = {10};
  if (!options.classification) options.outputs = 1;
  if (init.data.empty()) return options;
  const auto dataset = data::Dataset::open(init.data);
  const Shape& example = dataset->sample_shape();
  options.example.assign(example.begin(), example.end());
  options.classification = dataset->info().task == data::Task::kClassification;
  options.outputs = size_of(wanted_output(*dataset));
  options.has_val = dataset->has("val");
  for (const std::string& split : dataset->split_names()) {
    options.about += fmt::format("{} {}, ", dataset->rows(split), split);
  }
  options.about += fmt::format("each {}, {} {}", to_string(example), options.outputs,
                               options.classification ? "classes" : "targets");
  const fs::path folder = init.out == "-" ? fs::path(".") : fs::path(init.out).parent_path();
  options.data = fs::proximate(init.data, folder.empty() ? "." : folder).string();
  return options;
}

void add_init(CLI::App& verb, Action& action) {
  auto options = std::make_shared<InitOptions>();
  CLI::App* init = verb.add_subcommand("init", "Write a config with comments for a data set");
  init->add_option("data", options->data, "A prepared file (mica prepare), which says what fits")
      ->type_name("DATA.h5");
  init->add_option("-o,--out", options->out,
                   "The config to write (default: run.yaml; - for "
                   "standard output)")
      ->type_name("FILE");
  init->add_option("--kind", options->kind, "The network: auto, linear, mlp or cnn")
      ->check(CLI::IsMember({"auto", "linear", "mlp", "cnn"}));
  init->add_option("--task", options->task, "Without data: classification or regression")
      ->check(CLI::IsMember({"classification", "regression"}));
  init->callback([&action, options] {
    action = [options] {
      write_new(options->out, starter_config(starter_for(*options)));
      return 0;
    };
  });
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("config", "Check, print, document and make configs");
  verb->require_subcommand(1);
  add_print(*verb, action);
  add_schema(*verb, action);
  add_list(*verb, action);
  add_copy(*verb, action);
  add_init(*verb, action);
}

}  // namespace mica::trainers
