#include "trainers/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/eval/eval.h"
#include "core/io/file.h"
#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "data/image.h"
#include "trainers/machine.h"
#include "trainers/report.h"
#include "trainers/run_charts.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kSamples = 40;  // of the sheet of training examples

std::vector<std::string> columns(const data::Dataset& dataset, bool has_true_weights) {
  const bool classes = dataset.info().task == data::Task::kClassification;
  std::vector<std::string> names = {"epoch", "step", "loss", "lr", "gradient_norm"};
  names.insert(names.end(), {"samples_per_second", "data_wait", "train_loss"});
  if (classes) names.push_back("train_accuracy");
  if (dataset.has("val")) {
    names.push_back("val_loss");
    if (classes)
      names.push_back("val_accuracy");
    else
      names.insert(names.end(), {"val_mse", "val_mae", "val_r2"});
  }
  if (has_true_weights) names.push_back("weight_error");
  names.insert(names.end(),
               {"seconds", "wait_seconds", "validation_seconds", "checkpoint_seconds"});
  return names;
}

// "28 x 28 x 1"
std::string shape_text(const Shape& shape) {
  std::string text;
  for (const int64_t size : shape) text += fmt::format("{}{}", text.empty() ? "" : " x ", size);
  return text.empty() ? "one number" : text;
}

Json data_facts(const data::Dataset& dataset, const RunConfig& config) {
  const data::DatasetInfo& info = dataset.info();
  Json json;
  if (!config.data.path.empty()) json["path"] = config.data.path;
  if (!info.source.empty()) json["source"] = info.source;
  json["task"] = data::name_of(info.task);
  for (const std::string& split : dataset.split_names()) json[split] = dataset.rows(split);
  json["example"] = shape_text(dataset.sample_shape());
  if (info.classes() > 0) json["classes"] = info.classes();
  if (!info.split_method.empty()) json["split"] = info.split_method;
  if (!info.source_sha256.empty()) json["source SHA-256"] = info.source_sha256;
  json["fingerprint"] = dataset.fingerprint();
  return json;
}

Json model_facts(nn::Sequential& network, const Shape& example) {
  Json json;
  json["parameters"] = network.parameter_count();
  Shape shape = {1};
  shape.append(example.begin(), example.end());
  int64_t number = 0;
  for (const nn::ModulePointer& layer : network.layers()) {
    const Shape output = layer->output_shape(shape);
    json["layers"].push_back({{"name", fmt::format("{}", number++)},
                              {"type", layer->type_name()},
                              {"output", shape_text(Shape(output.begin() + 1, output.end()))},
                              {"parameters", layer->parameter_count()},
                              {"flops", layer->flops(shape)}});
    shape = output;
  }
  return json;
}

// The loss's gradients for one batch, by name. The network stays as it is: what a forward pass in
// training mode changes is put back.
std::map<std::string, Array> gradients_of(nn::Module& network, const nn::Loss& loss,
                                          const data::Batch& batch) {
  std::vector<std::pair<Array*, Array>> buffers;
  for (const auto& [name, array] : network.named_buffers()) buffers.emplace_back(array, *array);
  const random::KeyScope drawing(random::key(0));
  auto [value, gradients] = nn::value_and_grad(network, [&](const Array& x, const Array& y) {
    const Array output = network(x);
    if (!batch.second_y) return loss(output, y);
    const auto weight = static_cast<float>(batch.weight);
    return weight * loss(output, y) + (1 - weight) * loss(output, *batch.second_y);
  })(batch.x, batch.y);
  Arrays all;
  for (const auto& [name, gradient] : gradients) all.push_back(gradient);
  eval(all);
  for (auto& [array, before] : buffers) *array = before;
  return {gradients.begin(), gradients.end()};
}

}  // namespace

RunRecord::RunRecord(const RunFolder& folder, const RunConfig& config, const Setup& setup)
    : folder_(folder),
      config_(config),
      network_(setup.network),
      dataset_(setup.data.dataset),
      normalization_(setup.normalization),
      log_(folder.path, columns(*dataset_, setup.data.true_weights.has_value())) {}

void RunRecord::begin(int64_t step) {
  write_file(folder_.config().string(), config_.to_yaml());
  log_.keep_until(step);
  spent_.clear();
  seconds_ = wait_seconds_ = 0;
  samples_done_ = 0;
  drawn_ = Clock::now();
  facts_ = {{"data", data_facts(*dataset_, config_)},
            {"model", model_facts(*network_, dataset_->sample_shape())},
            {"machine", machine_facts()}};
  scores_ = Json::object();
  if (step > 0 && fs::exists(folder_.summary())) {
    const Json summary = read_run(folder_.path).summary;
    if (summary.contains("scores")) scores_ = summary["scores"];
  }
  train_events_.reset();
  val_events_.reset();
  if (step == 0) {
    remove_event_files(folder_.events() / "train");
    remove_event_files(folder_.events() / "val");
  }
  if (config_.train.tensorboard == "none") return;
  train_events_.emplace(folder_.events() / "train", step + 1);
  if (dataset_->has("val")) val_events_.emplace(folder_.events() / "val", step + 1);
}

void RunRecord::step(const StepNumbers& numbers, const data::Batch& batch) {
  if (samples_.empty()) keep_samples(batch);
  if (config_.train.tensorboard == "all") last_batch_ = batch;
  last_step_ = numbers.step;
  seconds_ += numbers.seconds;
  wait_seconds_ += numbers.wait_seconds;
  samples_done_ += numbers.samples;
  if (numbers.step != 1 && numbers.step % config_.train.log_every != 0) return;
  const double seconds = std::max(seconds_, 1e-9);
  const std::map<std::string, double> row = {
      {"epoch", static_cast<double>(numbers.epoch)},
      {"step", static_cast<double>(numbers.step)},
      {"loss", numbers.loss},
      {"lr", numbers.learning_rate},
      {"gradient_norm", numbers.gradient_norm},
      {"samples_per_second", static_cast<double>(samples_done_) / seconds},
      {"data_wait", wait_seconds_ / seconds}};
  log_.write("step", row);
  for (const auto& [name, value] : row) {
    if (!train_events_ || name == "step" || name == "epoch" || std::isnan(value)) continue;
    train_events_->scalar("step/" + name, numbers.step, value);
  }
  seconds_ = wait_seconds_ = 0;
  samples_done_ = 0;
}

void RunRecord::scored(const Scores& scores) {
  scores_[scores.split] = to_json(scores, dataset_->info().class_names);
  if (!val_events_ || scores.split != "val") return;
  const draw::HeatMap map = confusion_map(scores_["val"]);
  if (map.rows.empty()) return;
  const draw::Size size = draw::size_of(map);
  const std::string png = draw::to_png(map);
  val_events_->image("confusion_matrix", last_step_,
                     {png, static_cast<int64_t>(std::ceil(2 * size.height)),
                      static_cast<int64_t>(std::ceil(2 * size.width))});
}

void RunRecord::epoch(std::map<std::string, double> row) {
  row.merge(spent_);
  spent_.clear();
  log_.write("epoch", row);
  const auto step = static_cast<int64_t>(row.at("step"));
  for (const auto& [name, value] : row) {
    if (!train_events_ || name == "step" || name == "epoch" || std::isnan(value)) continue;
    // The same name in both folders: TensorBoard draws them in one chart.
    if (name.starts_with("val_"))
      val_events_->scalar("epoch/" + name.substr(4), step, value);
    else if (name.starts_with("train_"))
      train_events_->scalar("epoch/" + name.substr(6), step, value);
    else
      train_events_->scalar("epoch/" + name, step, value);
  }
  if (config_.train.tensorboard == "all") write_histograms(step);
  flush();
}

void RunRecord::flush() {
  log_.flush();
  if (train_events_) train_events_->flush();
  if (val_events_) val_events_->flush();
}

void RunRecord::write_histograms(int64_t step) {
  for (const auto& [name, array] : network_->named_parameters()) {
    train_events_->histogram("weights/" + name, step, astype(*array, float32).to_vector<float>());
  }
  if (!last_batch_) return;
  for (const auto& [name, gradient] : gradients_of(*network_, *config_.loss, *last_batch_)) {
    train_events_->histogram("gradients/" + name, step,
                             astype(gradient, float32).to_vector<float>());
  }
}

// The first pictures as the network gets them, with what was done to them to train on.
void RunRecord::keep_samples(const data::Batch& batch) {
  const Shape& shape = dataset_->sample_shape();
  if (shape.size() != 3 || shape[0] < 2 || shape[1] < 2) return;
  const HostTensor x = to_host(batch.x);
  const std::span<const float> values = x.as<float>();
  const auto size = static_cast<size_t>(size_of(shape)), channels = static_cast<size_t>(shape[2]);
  const bool labels = dataset_->info().task == data::Task::kClassification;
  const std::vector<int32_t> classes =
      labels ? astype(batch.y, int32).to_vector<int32_t>() : std::vector<int32_t>();
  const auto entry = [](const std::vector<double>& list, size_t channel, double otherwise) {
    return list.empty() ? otherwise : list[std::min(channel, list.size() - 1)];
  };
  // Bytes as they were; other numbers by their own range.
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const bool bytes = dataset_->sample_dtype() == Dtype::kUint8;
  for (size_t i = 0; i < std::min(kSamples, static_cast<size_t>(batch.size())); ++i) {
    draw::Picture& picture = samples_.emplace_back(
        draw::Picture{shape[0], shape[1], shape[2], std::vector<uint8_t>(size), "", false});
    for (size_t j = 0; j < size; ++j) {
      const double value = values[i * size + j];
      const double pixel = bytes ? value * entry(normalization_.std, j % channels, 1) +
                                       entry(normalization_.mean, j % channels, 0)
                                 : 255 * (value - *low) / std::max<double>(*high - *low, 1e-9);
      picture.pixels[j] = static_cast<uint8_t>(std::lround(std::clamp(pixel, 0.0, 255.0)));
    }
    if (labels) picture.caption = dataset_->info().class_names[static_cast<size_t>(classes[i])];
  }
  if (!train_events_) return;
  const std::string png = draw::draw_sheet(samples_, {.title = "Training examples"});
  const data::Pixels size_of_sheet = data::decode_png(std::as_bytes(std::span(png)), "samples.png");
  train_events_->image("samples", last_step_ + 1, {png, size_of_sheet.height, size_of_sheet.width});
}

void RunRecord::draw(const RunStatus& status) {
  const Clock::time_point begin = Clock::now();
  const double since = std::chrono::duration<double>(begin - drawn_).count();
  if (status.status == "running" && since < 20 * drawing_seconds_) return;
  log_.flush();
  write_summary(status);
  const StoredRun run = read_run(folder_.path);
  if (status.status != "stopped") write_plots(run.metrics, status.best_epoch);
  write_file(folder_.report().string(), report_page(run));
  drawn_ = Clock::now();
  drawing_seconds_ = std::chrono::duration<double>(drawn_ - begin).count();
}

void RunRecord::write_summary(const RunStatus& status) const {
  Json json;
  json["status"] = status.status;
  if (status.best_epoch > 0) {
    json["best"] = {
        {"monitor", status.monitor}, {"epoch", status.best_epoch}, {"value", status.best}};
  }
  json["scores"] = scores_;
  json.update(facts_);
  write_file(folder_.summary().string(), json.dump(2) + "\n");
}

void RunRecord::write_plots(const MetricsTable& metrics, int64_t best_epoch) {
  const fs::path plots = folder_.plots();
  make_folder(plots);
  for (const RunChart& chart : run_charts(metrics, best_epoch)) {
    draw::write_png(plots / (chart.name + ".png"), chart.plot);
  }
  draw::write_png(plots / "time.png", time_chart(metrics));
  if (!samples_.empty()) {
    draw::write_sheet(plots / "samples.png", samples_, {.title = "Training examples"});
  }
  for (const auto& [split, scores] : scores_.items()) {
    const draw::HeatMap map = confusion_map(scores);
    if (!map.rows.empty()) draw::write_png(plots / ("confusion_" + split + ".png"), map);
  }
}

}  // namespace mica::trainers
