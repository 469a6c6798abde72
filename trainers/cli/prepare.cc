// mica prepare: any source of examples into the one file that training reads.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "data/prepare.h"
#include "trainers/cli/cli.h"
#include "trainers/diagnostics.h"

namespace mica::trainers {
namespace {

struct PrepareArguments {
  data::PrepareOptions options;
  bool json = false;
  bool quiet = false;
};

std::string join_counts(const std::map<std::string, int64_t>& rows) {
  std::string text;
  for (const auto& [split, count] : rows) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, split);
  }
  return text;
}

void print_summary(const data::PrepareSummary& summary) {
  fmt::print("{}: {}, {} of shape {}, {} ({:.1f} MB)\n", summary.out, join_counts(summary.rows),
             summary.dtype, to_string(summary.sample_shape), summary.task,
             static_cast<double>(summary.bytes) / 1e6);
  if (!summary.class_names.empty()) {
    fmt::print("{:<14}", "class");
    for (const auto& [split, counts] : summary.class_counts) fmt::print(" {:>8}", split);
    fmt::print("\n");
    for (size_t c = 0; c < summary.class_names.size(); ++c) {
      fmt::print("{:<14}", summary.class_names[c]);
      for (const auto& [split, counts] : summary.class_counts) fmt::print(" {:>8}", counts[c]);
      fmt::print("\n");
    }
  }
  fmt::print("split: {}\nsource sha256: {}\n", summary.split_method, summary.source_sha256);
  for (const std::string& note : summary.notes) fmt::print("note: {}\n", note);
}

nlohmann::ordered_json to_json(const data::PrepareSummary& summary) {
  nlohmann::ordered_json json;
  json["out"] = summary.out;
  json["task"] = summary.task;
  json["rows"] = summary.rows;
  json["sample_shape"] =
      std::vector<int64_t>(summary.sample_shape.begin(), summary.sample_shape.end());
  json["dtype"] = summary.dtype;
  json["class_names"] = summary.class_names;
  json["class_counts"] = summary.class_counts;
  json["feature_names"] = summary.feature_names;
  json["target_names"] = summary.target_names;
  json["mean"] = summary.mean;
  json["std"] = summary.std;
  json["split_method"] = summary.split_method;
  json["source_sha256"] = summary.source_sha256;
  json["bytes"] = summary.bytes;
  json["notes"] = summary.notes;
  return json;
}

std::string progress_text(const data::PrepareProgress& p) {
  if (p.total == 0) return p.done == 0 ? p.stage : fmt::format("{} {}", p.stage, p.done);
  const auto done = static_cast<double>(p.done), total = static_cast<double>(p.total);
  std::string text = fmt::format("{} {:.0f}%", p.stage, 100 * done / total);
  if (p.bytes_per_second > 0) {
    text += fmt::format("  {:.1f} of {:.1f} MB  {:.1f} MB/s  {} left", done / 1e6, total / 1e6,
                        p.bytes_per_second / 1e6,
                        Progress::duration((total - done) / p.bytes_per_second));
  }
  return text;
}

int prepare_data(const PrepareArguments& arguments) {
  std::vector<std::string> names;
  for (const auto& [name, doc] : data::source_names()) names.push_back(name);
  const std::string& source = arguments.options.source;
  if (std::find(names.begin(), names.end(), source) == names.end()) {
    fail("unknown source '{}'{}", source, suggestion(source, names));
  }
  Progress progress(stderr, arguments.quiet ? Progress::Mode::kNone : Progress::detect(stderr));
  const data::PrepareSummary summary =
      data::prepare(arguments.options,
                    [&](const data::PrepareProgress& p) { progress.status(progress_text(p)); });
  progress.clear();
  if (arguments.json)
    fmt::print("{}\n", to_json(summary).dump());
  else
    print_summary(summary);
  return 0;
}

void add_fetch_options(CLI::App& verb, data::PrepareOptions& options) {
  verb.add_flag("--offline", options.offline, "Fetch nothing: only what is on this machine");
  verb.add_option("--mirror", options.mirror, "Fetch URL/FILE before the usual mirrors are tried")
      ->type_name("URL");
  verb.add_option("--cache", options.cache,
                  "Keeps what was fetched (default: $MICA_CACHE or ~/.cache/mica)")
      ->type_name("FOLDER");
}

void add_source_options(CLI::App& verb, data::PrepareOptions& options) {
  verb.add_option("--split", options.split,
                  "auto (the source's own, else test=0.2), or as test=0.2,val=0.1")
      ->type_name("SPLIT");
  verb.add_flag("!--no-stratify", options.stratify, "Splits need not have their share of classes");
  verb.add_option("--seed", options.seed, "Decides which rows go to which split");
  verb.add_option("--task", options.task, "auto, classification or regression")
      ->check(CLI::IsMember({"auto", "classification", "regression"}));
  verb.add_option("--classes", options.classes, "Number of classes, to check labels against");
  verb.add_option("--target", options.target, "csv: target columns, by name or number from 1")
      ->delimiter(',');
  verb.add_option("--drop", options.drop, "csv: columns to leave out")->delimiter(',');
  verb.add_option("--categorical", options.categorical,
                  "csv: columns of numbers that stand for categories")
      ->delimiter(',');
  verb.add_option("--header", options.header, "csv: auto, yes or no")
      ->check(CLI::IsMember({"auto", "yes", "no"}));
  verb.add_option("--delimiter", options.delimiter, "csv: one character, or auto");
  verb.add_option("--encode", options.encode, "csv: categories as one_hot or codes")
      ->check(CLI::IsMember({"one_hot", "codes"}));
  verb.add_option("--channels", options.channels, "images: 1, 3, 4, or 0 for as they are");
  verb.add_option("--labels", options.labels, "cifar100: fine (100 classes) or coarse (20)")
      ->check(CLI::IsMember({"fine", "coarse"}));
  verb.add_option("--layout", options.layout, "npz, npy, hdf5: auto, nhwc or nchw")
      ->check(CLI::IsMember({"auto", "nhwc", "nchw"}));
}

}  // namespace

void add_prepare(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<PrepareArguments>();
  CLI::App* verb =
      app.add_subcommand("prepare", "Turn a data set into the HDF5 file that training reads");
  std::string sources = "Kind of source:";
  for (const auto& [name, doc] : data::source_names())
    sources += fmt::format("\n{}: {}", name, doc);
  verb->add_option("kind", arguments->options.source, sources)->required()->type_name("SOURCE");
  verb->add_option("--source", arguments->options.path,
                   "File or folder to read; without it, known data sets are fetched")
      ->type_name("PATH");
  verb->add_option("-o,--out", arguments->options.out, "Prepared file to write")
      ->required()
      ->type_name("FILE");
  add_fetch_options(*verb, arguments->options);
  add_source_options(*verb, arguments->options);
  verb->add_flag("--json", arguments->json, "The summary as one JSON object");
  verb->add_flag("-q,--quiet", arguments->quiet, "No progress");
  verb->callback(
      [&action, arguments] { action = [arguments] { return prepare_data(*arguments); }; });
}

}  // namespace mica::trainers
