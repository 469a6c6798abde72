// mica prepare: any source of examples into the one file that training reads.
#include <algorithm>

#include "core/base/error.h"
#include "core/io/file.h"
#include "data/prepare.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepare_report.h"
#include "trainers/diagnostics.h"

namespace mica::trainers {
namespace {

struct PrepareArguments {
  data::PrepareOptions options;
  bool json = false;
  bool quiet = false;
  std::string report;
  std::string sheet;
};

bool is_download(const data::PrepareProgress& p) {
  return p.total > 0 && p.stage.starts_with("fetching ");
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
  std::string fetching;
  const data::PrepareSummary summary =
      data::prepare(arguments.options, [&](const data::PrepareProgress& p) {
        if (is_download(p) && p.stage != fetching) {
          // A line a file also where no bar is drawn: this may take a while.
          fetching = p.stage;
          progress.line(fmt::format("{} ({:.1f} MB)", p.stage, static_cast<double>(p.total) / 1e6));
        }
        progress.status(progress_text(p));
      });
  progress.clear();
  if (!arguments.report.empty()) {
    write_file(arguments.report, to_json(summary).dump(2) + "\n");
  }
  if (!arguments.sheet.empty()) write_samples(arguments.sheet, summary.out);
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
                  "auto (the source's own, else test=0.2); test=0.2,val=0.1; random,test=0.2; "
                  "stratified,...; hash,... (rows stay when others come); column=NAME (csv)")
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
  verb.add_flag("--drop-duplicates", options.drop_duplicates,
                "Leave one of rows that are alike in x and y: test before val before train");
  verb.add_flag("--skip-corrupt", options.skip_corrupt, "images: go on without damaged files");
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
  verb->add_option("--report", arguments->report,
                   "Write the summary with all statistics and duplicates there, as JSON")
      ->type_name("FILE");
  verb->add_option("--sheet", arguments->sheet, "Draw samples of every class there (pictures only)")
      ->type_name("FILE.png");
  verb->add_flag("--json", arguments->json, "The summary as one JSON object");
  verb->add_flag("-q,--quiet", arguments->quiet, "No progress");
  verb->callback(
      [&action, arguments] { action = [arguments] { return prepare_data(*arguments); }; });
}

}  // namespace mica::trainers
