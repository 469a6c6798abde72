#include "trainers/setup.h"

#include <algorithm>

#include "core/base/error.h"
#include "data/catalogue.h"
#include "data/folds.h"
#include "trainers/checks.h"
#include "trainers/run_folder.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail_at(ErrorKind kind, const Location& at, const std::string& message) {
  throw Error(kind, fmt::format("{}: error: {}", at.text(), message));
}

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const size_t first = text.find_first_not_of(' ', begin);
    const size_t last = text.find_last_not_of(' ', end - 1);
    if (first < end) parts.push_back(text.substr(first, last + 1 - first));
    begin = end + 1;
  }
  return parts;
}

// How to make a prepared file, going by its name: "fashion_mnist.h5" from fashion-mnist.
std::string remedy_for(const std::string& path) {
  std::string name = fs::path(path).filename().string(), source = "SOURCE";
  std::replace(name.begin(), name.end(), '_', '-');
  for (const auto& [known, doc] : data::source_names()) {
    const bool nearer = source == "SOURCE" || known.size() > source.size();
    if (name.starts_with(known) && nearer) source = known;
  }
  const bool fetched = data::find_in_catalogue(source) != nullptr;
  return fmt::format("; run: mica prepare {} {}--out {}", source, fetched ? "" : "--source PATH ",
                     path);
}

void check_path(const RunConfig& config) {
  const DataConfig& data = config.data;
  if (data.path.empty() || fs::exists(data.path)) return;  // without a path, it is fetched
  const std::string base = config.path_at.is_override() ? "" : " (from the config's folder)";
  const std::string remedy =
      data.source.empty() ? remedy_for(data.path) : "; give it with --set data.path=PATH";
  fail_at(ErrorKind::kData, config.path_at,
          fmt::format("data.path: no file {}{}{}", data.path, base, remedy));
}

// What is wrong with the options of a source is told at the section that gives them.
void prepare_source(const RunConfig& config, const fs::path& cache,
                    const data::ProgressFunction& progress) {
  try {
    data::prepare(prepare_options(config.data, cache.string()), progress);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUsage) throw;
    // `mica prepare` takes as options what a config has as keys.
    std::string text = error.what();
    const bool target = text.find("target") != std::string::npos;
    constexpr std::string_view kOption = "Give --target NAME";
    if (const size_t at = text.find(kOption); at != std::string::npos) {
      text.replace(at, kOption.size(), "Give it as data.target");
    }
    fail_at(ErrorKind::kUsage, target ? config.origin("data.target") : config.data_at,
            fmt::format("data: {}", text));
  }
}

// Most of what is no prepared file is meant to be read as a source.
std::shared_ptr<const data::Dataset> open_prepared(const RunConfig& config) {
  try {
    return data::Dataset::open(config.data.path, data::cache_named(config.data.cache));
  } catch (const Error& error) {
    const bool raw = config.data.source.empty() && !data::Dataset::is_prepared(config.data.path);
    fail_at(
        error.kind(), config.path_at,
        fmt::format("data.path: {}{}", error.what(),
                    raw ? "; what is not prepared yet needs data.source, as in source: csv" : ""));
  }
}

OpenedData open_whole(const RunConfig& config, const fs::path& cache,
                      const data::ProgressFunction& progress) {
  const DataConfig& data = config.data;
  if (data.source == kSyntheticSource) {
    data::SyntheticRegression made = data::synthetic_regression(
        data.examples, data.features, data.noise, static_cast<uint64_t>(config.seed));
    return {made.dataset, made.weights};
  }
  // A prepared file is told by its content, so that data.path alone leads to another data set.
  if (data.source.empty() || data::Dataset::is_prepared(data.path)) {
    check_path(config);
    return {open_prepared(config), {}};
  }
  if (!fs::exists(cache)) {
    check_path(config);
    make_folder(cache.parent_path());
    prepare_source(config, cache, progress);
  }
  return {data::Dataset::open(cache.string(), data::cache_named(data.cache)), {}};
}

// Examples as targets are between 0 and 1, as yes/no losses want them, where they are pictures by
// unit; of other numbers as they are, the user knows.
void check_range(const RunConfig& config, const data::Dataset& dataset) {
  const std::string& normalize = config.data.normalize;
  if (!dataset.reconstructs() || config.loss->target_kind() != nn::TargetKind::kYesNo) return;
  if (normalize == "unit") return;
  if (normalize == "none" && dataset.sample_dtype() == Dtype::kFloat32) return;
  fail_at(ErrorKind::kUsage, config.loss_at,
          fmt::format("loss '{}' wants targets from 0 to 1, which 'normalize: {}' does not make of "
                      "the examples; write 'normalize: unit' into 'data', or choose mse",
                      config.loss_type, normalize));
}

}  // namespace

OpenedData open_data(const RunConfig& config, const fs::path& cache,
                     const data::ProgressFunction& progress) {
  OpenedData opened = open_whole(config, cache, progress);
  if (!config.data.fold.empty()) {
    opened.dataset = data::fold(*opened.dataset, data::parse_fold(config.data.fold),
                                static_cast<uint64_t>(config.seed));
  }
  if (config.data.reconstruct) {
    opened = {data::Dataset::reconstructing(opened.dataset), {}};
  }
  return opened;
}

data::PrepareOptions prepare_options(const DataConfig& config, const std::string& out) {
  data::PrepareOptions options;
  options.source = config.source;
  options.path = config.path;
  options.out = out;
  options.split = config.split;
  options.target = split_commas(config.target);
  options.drop = split_commas(config.drop);
  options.categorical = split_commas(config.categorical);
  return options;
}

Shape wanted_output(const data::Dataset& dataset) {
  if (dataset.info().task == data::Task::kClassification) return {dataset.info().classes()};
  return dataset.reconstructs() ? dataset.target_shape() : Shape{size_of(dataset.target_shape())};
}

std::shared_ptr<nn::Sequential> build_network(const RunConfig& config, const Shape& example,
                                              const Shape& output) {
  return join_layers(build_layers(config.model, example, output, config.seed));
}

data::LoaderOptions training_loader_options(const RunConfig& config,
                                            const data::Normalization& normalization) {
  data::LoaderOptions options;
  options.batch_size = config.data.batch_size;
  options.shuffle = config.data.shuffle;
  options.seed = static_cast<uint64_t>(config.seed);
  options.normalization = normalization;
  options.augment = config.augment;
  if (config.train.overfit_batches > 0) {
    options.shuffle = false;
    options.augment.clear();
  }
  return options;
}

void check_loss(const RunConfig& config, const data::Dataset& dataset) {
  const bool classes = dataset.info().task == data::Task::kClassification;
  const bool labels = config.loss->target_kind() == nn::TargetKind::kLabels;
  if (classes == labels) return check_range(config, dataset);
  std::vector<std::string> fitting;
  for (const nn::LossRow& row : nn::loss_rows()) {
    const bool takes_labels = row.make()->target_kind() == nn::TargetKind::kLabels;
    if (takes_labels == classes) fitting.emplace_back(row.name);
  }
  fail_at(ErrorKind::kUsage, config.loss_at,
          fmt::format("loss '{}' is for {}, but {} for {} (choose from: {})", config.loss_type,
                      labels ? "classification" : "regression",
                      dataset.reconstructs() ? "data.reconstruct is" : "the data is",
                      classes ? "classification" : "regression", fmt::join(fitting, ", ")));
}

void check_augment(const RunConfig& config, const data::Dataset& dataset) {
  try {
    data::Augmenter(config.augment, dataset, 0);
  } catch (const Error& error) {
    fail_at(error.kind(), config.augment_at, fmt::format("data.augment: {}", error.what()));
  }
}

Setup make_setup(const RunConfig& config, const fs::path& cache,
                 const data::ProgressFunction& progress) {
  Setup setup;
  setup.data = open_data(config, cache, progress);
  const data::Dataset& dataset = *setup.data.dataset;
  check_loss(config, dataset);
  check_augment(config, dataset);
  setup.network = build_network(config, dataset.sample_shape(), wanted_output(dataset));
  check_run(config, dataset, *setup.network);
  setup.normalization =
      data::normalization(dataset, config.data.normalize, config.data.normalize_target);
  return setup;
}

}  // namespace mica::trainers
