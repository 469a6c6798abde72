// mica compare: runs side by side.
#include <filesystem>

#include "core/base/error.h"
#include "core/io/file.h"
#include "trainers/cli/cli.h"
#include "trainers/compare.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

struct CompareOptions {
  std::vector<std::string> runs;
  std::string out;
  bool json = false;
};

int compare_runs(const CompareOptions& options) {
  const std::string extension = fs::path(options.out).extension().string();
  if (!options.out.empty() && extension != ".html" && extension != ".png") {
    fail("--out {}: the name must end in .html or .png", options.out);
  }
  std::vector<StoredRun> runs;
  for (const std::string& folder : options.runs) runs.push_back(read_run(folder));
  if (extension == ".html") write_file(options.out, compare_page(runs));
  if (extension == ".png") write_file(options.out, compare_png(runs));
  if (options.json) {
    fmt::print("{}\n", compare_json(runs).dump(2));
    return 0;
  }
  const Comparison comparison = compare(runs);
  fmt::print("{}\n", aligned(comparison.figures));
  if (comparison.differences.rows.empty()) {
    fmt::print("The configs differ in nothing but their names.\n");
  } else {
    fmt::print("{}", aligned(comparison.differences));
  }
  if (!options.out.empty()) fmt::print(stderr, "wrote {}\n", options.out);
  return 0;
}

}  // namespace

void add_compare(CLI::App& app, Action& action) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* verb = app.add_subcommand(
      "compare",
      "Put runs side by side: what they reached, how their configs differ, their curves");
  verb->add_option("runs", options->runs, "Folders of runs")
      ->required()
      ->type_name("RUN")
      ->expected(2, -1);
  verb->add_option("-o,--out", options->out,
                   "Draw the curves into a page (.html) or picture (.png)")
      ->type_name("FILE");
  verb->add_flag("--json", options->json, "One JSON object");
  verb->callback([&action, options] { action = [options] { return compare_runs(*options); }; });
}

}  // namespace mica::trainers
