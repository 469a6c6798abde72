// mica predict: what a model says about files, folders, tables and standard input.
#include <cstdio>
#include <optional>

#include "core/base/error.h"
#include "core/io/file.h"
#include "trainers/cli/cli.h"
#include "trainers/predict/predictor.h"

namespace mica::trainers {
namespace {

struct PredictOptions {
  std::string model;
  std::vector<std::string> inputs;
  PredictorOptions lines;
  std::string out;
  std::string array;
  std::string split;
  bool resize = false;
  CommonOptions common;
};

void print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) fail(ErrorKind::kData, "cannot write to the output");
}

int predict(PredictOptions options) {
  options.common.apply();
  const TrainedModel model = open_trained(options.model);
  ExampleSpec spec = spec_of(model);
  spec.resize = options.resize;
  spec.array = options.array;
  spec.split = options.split;
  std::optional<AtomicFile> file;
  if (!options.out.empty()) file.emplace(options.out);
  const auto write = [&](const std::string& text) {
    if (file)
      file->write(text);
    else
      print(text);
  };
  int64_t taken = 0, refused = 0;
  const auto refuse = [&](const std::string& message) {
    ++refused;
    fmt::print(stderr, "error: {}\n", message);
  };
  Predictor predictor(model, options.lines, write, refuse);
  write(predictor.header());
  const ExampleSink sink = {.take =
                                [&](Example example) {
                                  ++taken;
                                  predictor.add(std::move(example));
                                },
                            .refuse = refuse,
                            .note =
                                [&](const std::string& text) {
                                  if (!options.common.quiet) fmt::print(stderr, "note: {}\n", text);
                                },
                            .flush = [&] { predictor.flush(); }};
  for (const std::string& input : options.inputs) read_input(input, spec, sink);
  predictor.flush();
  if (file) file->commit();
  if (refused == 0) return 0;
  fmt::print(stderr, "{} of {} inputs could not be predicted\n", refused, taken + refused);
  return static_cast<int>(ErrorKind::kData);
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* verb = app.add_subcommand(
      "predict", "Print what a trained model says about pictures, tables and arrays");
  verb->add_option("model", options->model,
                   "Folder of a run (its best weights, or the last with train.keep: last) or a "
                   "checkpoint file")
      ->required()
      ->type_name("DIR|CHECKPOINT");
  verb->add_option("inputs", options->inputs,
                   "PNG and JPEG files, folders of them, CSV, NPY, NPZ and HDF5 files; - reads CSV "
                   "rows or paths from standard input and answers line by line")
      ->required()
      ->type_name("INPUT...");
  verb->add_option("--top-k", options->lines.top, "Classes to name, the most probable first")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
      ->type_name("K")
      ->capture_default_str();
  verb->add_option("--format", options->lines.format, "csv, or jsonl: a JSON object a line")
      ->check(CLI::IsMember({"csv", "jsonl"}))
      ->capture_default_str();
  verb->add_option("-o,--out", options->out, "File to write instead of standard output")
      ->type_name("FILE");
  verb->add_flag("--resize", options->resize,
                 "Scale pictures of another size to the model's (both sides, without cutting)");
  verb->add_option("--array", options->array, "Which array of an NPZ or HDF5 file")
      ->type_name("NAME");
  verb->add_option("--split", options->split,
                   "Which split of a prepared file (default: test, else val, else train)")
      ->type_name("NAME");
  options->common.add_machine(*verb);
  verb->callback([&action, options] { action = [options] { return predict(*options); }; });
}

}  // namespace mica::trainers
