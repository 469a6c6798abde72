// mica data: looking at what a run is trained on.
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "trainers/cli/cli.h"
#include "trainers/cli/prepared_file.h"
#include "trainers/draw/sheet.h"
#include "trainers/setup.h"

namespace mica::trainers {
namespace {

struct PreviewOptions {
  std::string config;
  std::string out = "preview.png";
  int64_t examples = 8;
  int64_t versions = 9;
  CommonOptions common;
};

// What values show as: bytes as they are, other numbers from the least to the largest.
struct Tones {
  double least = 0;
  double largest = 255;

  static Tones of(const HostTensor& x, Dtype stored) {
    if (stored == Dtype::kUint8 || x.bytes.empty()) return {};
    const std::span<const float> values = x.as<float>();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {*low, *high > *low ? *high : *low + 1};
  }
  uint8_t operator()(float value) const {
    const double share = std::clamp((value - least) / (largest - least), 0.0, 1.0);
    return static_cast<uint8_t>(std::lround(255 * share));
  }
};

draw::Picture picture_of(const HostTensor& x, int64_t row, const Tones& tones) {
  draw::Picture picture;
  picture.height = x.shape[1];
  picture.width = x.shape[2];
  picture.channels = x.shape[3];
  const size_t count = x.row_bytes() / sizeof(float);
  for (const float value : x.as<float>().subspan(static_cast<size_t>(row) * count, count)) {
    picture.pixels.push_back(tones(value));
  }
  return picture;
}

std::string label_text(const data::DatasetInfo& info, const HostTensor& y, int64_t row) {
  if (y.dtype != Dtype::kInt32)
    return fmt::format("{:.4g}", y.as<float>()[static_cast<size_t>(row * y.size() / y.rows())]);
  return info.class_names[static_cast<size_t>(y.as<int32_t>()[static_cast<size_t>(row)])];
}

// "cat", or "cat 0.70\ndog 0.30" where two were mixed.
std::string caption(const data::DatasetInfo& info, const data::HostBatch& batch, int64_t row) {
  const std::string label = label_text(info, batch.y, row);
  if (!batch.second_y || batch.weight == 1) return label;
  return fmt::format("{} {:.2f}\n{} {:.2f}", label, batch.weight,
                     label_text(info, *batch.second_y, row), 1 - batch.weight);
}

std::string steps_text(const RunConfig& config) {
  std::string text;
  for (const data::AugmentStep& step : config.augment) {
    text += (text.empty() ? "" : ", ") + step.type;
  }
  return text;
}

// A row of the sheet is an example as it is stored, and then as the first epochs see it.
int preview(const PreviewOptions& options) {
  const RunConfig config = load_config(options.config, options.common.set);
  if (config.augment.empty()) {
    fail(
        "{}: data.augment is empty, so there is nothing to preview; for example: --set "
        "'data.augment=[pad_crop: 4, flip]'",
        options.config);
  }
  const PreparedFile prepared;
  const OpenedData data = open_data(config, prepared.path);
  const data::Dataset& dataset = *data.dataset;
  check_augment(config, dataset);
  if (dataset.sample_shape().size() != 3) {
    fail("{}: only images can be previewed, the data has examples of shape {}", options.config,
         to_string(dataset.sample_shape()));
  }
  data::LoaderOptions loading = training_loader_options(config, {});
  loading.batch_size = std::min(options.examples, dataset.rows("train"));
  loading.shuffle = false;
  loading.prefetch = 0;
  std::vector<data::HostBatch> batches;
  for (int64_t version = 0; version <= options.versions; ++version) {
    if (version == 0) loading.augment.clear();
    if (version == 1) loading.augment = config.augment;
    data::Loader loader(data.dataset, "train", loading);
    loader.start(std::max<int64_t>(version - 1, 0));
    batches.push_back(*loader.next_host());
  }
  const Tones tones = Tones::of(batches[0].x, dataset.sample_dtype());
  std::vector<draw::Picture> pictures;
  for (int64_t row = 0; row < batches[0].x.rows(); ++row) {
    for (const data::HostBatch& batch : batches) {
      pictures.push_back(picture_of(batch.x, row, tones));
      if (!dataset.reconstructs()) pictures.back().caption = caption(dataset.info(), batch, row);
      pictures.back().marked = &batch == &batches[0];
    }
  }
  draw::write_sheet(options.out, pictures,
                    {.title = fmt::format("{}: as stored (framed), and in {} epochs after {}",
                                          config.name, options.versions, steps_text(config)),
                     .columns = options.versions + 1});
  if (!options.common.quiet) fmt::print("{}\n", options.out);
  return 0;
}

}  // namespace

void add_data(CLI::App& app, Action& action) {
  auto options = std::make_shared<PreviewOptions>();
  CLI::App* verb = app.add_subcommand("data", "Look at what a run is trained on");
  verb->require_subcommand(1);
  CLI::App* sheet = verb->add_subcommand(
      "preview", "Draw training examples as they are stored and as data.augment changes them");
  sheet->add_option("config", options->config, "Config file")->required()->type_name("CONFIG");
  sheet->add_option("--out", options->out, "PNG file to write")
      ->capture_default_str()
      ->type_name("FILE");
  sheet->add_option("--examples", options->examples, "Examples, a row each")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  sheet->add_option("--versions", options->versions, "Versions of each, those of the first epochs")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  options->common.add_set(*sheet);
  sheet->callback([&action, options] { action = [options] { return preview(*options); }; });
}

}  // namespace mica::trainers
