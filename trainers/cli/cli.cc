#include "trainers/cli/cli.h"

#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <filesystem>

#include "core/base/error.h"
#include "core/runtime/parallel.h"
#include "trainers/diagnostics.h"

namespace mica::trainers {
namespace {

constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0    done\n"
    "  1    failed\n"
    "  2    wrong usage or config\n"
    "  3    data: a file is missing, damaged or can't be written\n"
    "  4    training diverged (the loss is no finite number)\n"
    "  5    a check was not met (evaluate --min, --max)\n"
    "  130  stopped by SIGINT (Ctrl-C), 143 by SIGTERM; a training run saves first\n";

void print_error(const std::string& text) {
  // Errors of a config come placed, one a line.
  const bool placed = text.find(": error: ") != std::string::npos;
  fmt::print(stderr, "{}{}\n", placed ? "" : "error: ", text);
}

std::string join_arguments(int argc, const char* const* argv) {
  std::string line;
  for (int i = 0; i < argc; ++i) line += fmt::format("{}{}", i == 0 ? "" : " ", argv[i]);
  return line;
}

// CLI11 would only say that an argument was not expected.
void check_verb(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
  if (std::find(verbs.begin(), verbs.end(), argv[1]) != verbs.end()) return;
  fail("unknown verb '{}'{}", argv[1], suggestion(argv[1], verbs));
}

// "The following argument was not expected: --ouy" gains "did you mean --out?".
std::string with_suggestion(const CLI::App& app, const CLI::ParseError& error, int argc,
                            const char* const* argv) {
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr) return text;
  std::vector<std::string> known;
  for (const CLI::App* verb : app.get_subcommands()) {
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  }
  for (int i = 1; i < argc; ++i) {
    const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (text.find(word) == std::string::npos || !word.starts_with("--")) continue;
    const std::string near = closest(word, known);
    if (!near.empty()) return fmt::format("{} (did you mean '{}'?)", text, near);
  }
  return text;
}

int parse_and_run(int argc, const char* const* argv) {
  CLI::App app("Mica trains neural networks from config files.", "mica");
  Action action;
  app.require_subcommand(1);
  app.footer(std::string(kExitCodes) + "\n`mica VERB --help` tells more about a verb.");
  app.get_formatter()->column_width(34);
  add_train(app, action, join_arguments(argc, argv));
  add_evaluate(app, action);
  add_predict(app, action);
  add_compare(app, action);
  add_prepare(app, action);
  add_data(app, action);
  add_summary(app, action);
  add_config(app, action);
  add_lr_find(app, action);
  add_validate(app, action);
  add_sweep(app, action);
  add_kfold(app, action);
  add_bench(app, action);
  add_export(app, action);
  add_import(app, action);
  add_doctor(app, action);
  app.set_version_flag("--version", "mica " MICA_VERSION, "Print the version");
  app.add_subcommand("version", "Print the version")->callback([&] {
    action = [] {
      fmt::print("mica {}\n", MICA_VERSION);
      return 0;
    };
  });
  for (CLI::App* verb : app.get_subcommands({})) verb->footer(kExitCodes);
  if (argc < 2) {
    fmt::print(stderr, "{}", app.help());
    return 2;
  }
  check_verb(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fail("{}; `mica {}--help` tells more", with_suggestion(app, error, argc, argv),
         app.get_subcommands().empty() ? "" : app.get_subcommands()[0]->get_name() + " ");
  }
  return action();
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  // A file that may not grow further is an error of its write, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return parse_and_run(argc, argv);
  } catch (const Error& error) {
    print_error(error.what());
    return static_cast<int>(error.kind());
  } catch (const std::bad_alloc&) {
    print_error("out of memory; a smaller data.batch_size needs less");
    return static_cast<int>(ErrorKind::kRuntime);
  } catch (const std::filesystem::filesystem_error& error) {
    print_error(error.what());
    return static_cast<int>(ErrorKind::kData);
  } catch (const std::exception& error) {
    print_error(error.what());
    return static_cast<int>(ErrorKind::kRuntime);
  }
}

void CommonOptions::add_set(CLI::App& verb) {
  verb.add_option_function<std::vector<std::string>>(
          "--set",
          [this](const auto& values) { set.insert(set.end(), values.begin(), values.end()); },
          "Override a key of the config: optimizer.sgd.lr=0.1, model.conv2d[1].out=8; +KEY=VALUE "
          "appends to a list, ~KEY takes a key away (repeatable)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  verb.add_option_function<std::vector<std::string>>(
          "--set-file",
          [this](const auto& values) {
            for (const std::string& file : values) set.push_back("@" + file);
          },
          "Override what a YAML file says, before --set (repeatable)")
      ->type_name("FILE")
      ->allow_extra_args(false);
}

void CommonOptions::add_machine(CLI::App& verb) {
  verb.add_option("--threads", threads, "Threads to work with (0: all cores)")
      ->check(CLI::Range(0, 1024));
  verb.add_option("--device", device, "cpu, gpu or auto")
      ->check(CLI::IsMember({"cpu", "gpu", "auto"}));
  verb.add_flag("-q,--quiet", quiet, "No progress and no messages but errors");
}

void CommonOptions::apply() const {
  if (device == "gpu")
    fail("--device gpu: this build of Mica has no GPU support; use --device cpu");
  set_threads(threads);
}

Progress::Mode CommonOptions::progress_mode() const {
  return quiet ? Progress::Mode::kNone : Progress::detect(stderr);
}

}  // namespace mica::trainers
