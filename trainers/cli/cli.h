// The program `mica`: a verb a file. Results go to stdout, messages and progress to stderr.
//
//   int main(int argc, char** argv) { return mica::trainers::run_program(argc, argv); }
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "trainers/progress.h"

namespace mica::trainers {

/// Runs the program and returns its exit code. Errors are told on stderr.
int run_program(int argc, const char* const* argv);

/// What a verb does once its arguments are known; the result is the exit code.
using Action = std::function<int()>;

// Each adds its verb to `app`; parsing it sets `action`.
void add_train(CLI::App& app, Action& action, const std::string& command_line);
void add_evaluate(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_prepare(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_summary(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_validate(CLI::App& app, Action& action);
void add_sweep(CLI::App& app, Action& action);
void add_kfold(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_import(CLI::App& app, Action& action);
void add_lr_find(CLI::App& app, Action& action);

/// Options that several verbs have.
struct CommonOptions {
  std::vector<std::string> set;
  int threads = 0;
  std::string device = "cpu";
  bool quiet = false;

  void add_set(CLI::App& verb);
  void add_machine(CLI::App& verb);
  /// Sets the number of threads. Throws a usage Error for a device this build does not have.
  void apply() const;
  Progress::Mode progress_mode() const;
};

}  // namespace mica::trainers
