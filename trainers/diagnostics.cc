#include "trainers/diagnostics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <tuple>

#include "core/base/error.h"

namespace mica::trainers {
namespace {

// Damerau-Levenshtein distance in its optimal string alignment form.
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = static_cast<int>(i);
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const int cost = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

// What other libraries, or people, call the same thing.
struct Synonym {
  std::string_view theirs, ours;
};
constexpr Synonym kSynonyms[] = {
    {"learning_rate", "lr"},
    {"base_lr", "lr"},
    {"rate", "lr"},
    {"rate", "p"},
    {"num_epochs", "epochs"},
    {"max_epochs", "epochs"},
    {"n_epochs", "epochs"},
    {"batch", "batch_size"},
    {"batchsize", "batch_size"},
    {"bs", "batch_size"},
    {"l2", "weight_decay"},
    {"wd", "weight_decay"},
    {"decay", "weight_decay"},
    {"out_features", "out"},
    {"out_channels", "out"},
    {"units", "out"},
    {"filters", "out"},
    {"channels", "out"},
    {"size", "out"},
    {"features", "out"},
    {"num_classes", "out"},
    {"kernel_size", "kernel"},
    {"strides", "stride"},
    {"pad", "padding"},
    {"dropout", "p"},
    {"prob", "p"},
    {"pool_size", "kernel"},
    {"epsilon", "eps"},
    {"scheduler", "schedule"},
    {"lr_scheduler", "schedule"},
    {"lr_schedule", "schedule"},
    {"param_groups", "groups"},
    {"grad_clip", "clip_norm"},
    {"max_grad_norm", "clip_norm"},
    {"gradient_clip_val", "clip_norm"},
    {"clip", "clip_norm"},
    {"early_stopping", "patience"},
    {"early_stop", "patience"},
    {"dataset", "data"},
    {"network", "model"},
    {"net", "model"},
    {"layers", "model"},
    {"architecture", "model"},
    {"criterion", "loss"},
    {"loss_function", "loss"},
    {"optim", "optimizer"},
    {"training", "train"},
    {"trainer", "train"},
    {"random_seed", "seed"},
    {"file", "path"},
    {"root", "path"},
    {"dir", "path"},
    {"transforms", "augment"},
    {"augmentation", "augment"},
    {"augmentations", "augment"},
    {"dtype", "precision"},
    {"label", "target"},
    {"dense", "linear"},
    {"fc", "linear"},
    {"fully_connected", "linear"},
    {"conv", "conv2d"},
    {"convolution", "conv2d"},
    {"maxpool", "max_pool2d"},
    {"max_pooling2d", "max_pool2d"},
    {"avgpool", "avg_pool2d"},
    {"average_pooling2d", "avg_pool2d"},
    {"bn", "batch_norm"},
    {"batchnorm", "batch_norm"},
    {"batch_norm1d", "batch_norm"},
    {"batch_norm2d", "batch_norm"},
    {"batch_normalization", "batch_norm"},
    {"swish", "silu"},
    {"ce", "cross_entropy"},
    {"categorical_crossentropy", "cross_entropy"},
    {"softmax_cross_entropy", "cross_entropy"},
    {"cross_entropy_loss", "cross_entropy"},
    {"nll_loss", "nll"},
    {"mae", "l1"},
    {"l2_loss", "mse"},
    {"mse_loss", "mse"},
    {"mean_squared_error", "mse"},
    {"smooth_l1", "huber"},
    {"smooth_l1_loss", "huber"},
    {"huber_loss", "huber"},
    {"l1_loss", "l1"},
    {"bce", "bce_with_logits"},
    {"bce_with_logits_loss", "bce_with_logits"},
    {"binary_crossentropy", "bce_with_logits"},
    {"multistep", "step"},
    {"step_lr", "step"},
    {"cosine_annealing", "cosine"},
    {"poly", "polynomial"},
    {"linear", "polynomial"},
    {"linear_warmup", "warmup"},
    {"random_crop", "pad_crop"},
    {"mirror", "flip"},
    {"horizontal_flip", "flip"},
    {"random_horizontal_flip", "flip"},
    {"val_accuracy", "val.accuracy"},
    {"val_acc", "val.accuracy"},
    {"val_loss", "val.loss"},
    {"train_loss", "train.loss"},
};

bool is_capital(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }

// "maxpool2d" for MaxPool2d and max_pool2d.
std::string bare_letters(std::string_view word) {
  std::string text;
  for (const char c : word) {
    if (c != '_') text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

std::string known_by_another_name(std::string_view word,
                                  const std::vector<std::string>& candidates) {
  // With capitals, nothing tells where a '_' belongs: BatchNorm, ReLU.
  const bool capitals = std::any_of(word.begin(), word.end(), is_capital);
  const auto is_word = [&](std::string_view name) {
    return capitals ? bare_letters(name) == bare_letters(word) : name == word;
  };
  const auto same = std::find_if(candidates.begin(), candidates.end(), is_word);
  if (same != candidates.end()) return *same;
  for (const Synonym& synonym : kSynonyms) {
    if (!is_word(synonym.theirs)) continue;
    const auto ours = std::find(candidates.begin(), candidates.end(), synonym.ours);
    if (ours != candidates.end()) return *ours;
  }
  return "";
}

}  // namespace

std::string Location::text() const {
  return line == 0 ? source : fmt::format("{}:{}:{}", source, line, column);
}

void Diagnostics::add(const Location& at, std::string_view message) {
  ++added_;
  std::string line = fmt::format("{}: error: {}", at.text(), message);
  // A value that a repeat block copies is wrong once, not once a copy.
  for (const Entry& entry : entries_) {
    if (entry.line == line) return;
  }
  entries_.push_back({at, std::move(line)});
}

std::vector<std::string> Diagnostics::lines() const {
  std::vector<Entry> sorted = entries_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) {
    const std::string a_file = a.at.is_override() ? "" : a.at.source;
    const std::string b_file = b.at.is_override() ? "" : b.at.source;
    return std::tuple(a.at.is_override(), a_file, a.at.line, a.at.column) <
           std::tuple(b.at.is_override(), b_file, b.at.line, b.at.column);
  });
  std::vector<std::string> lines;
  for (Entry& entry : sorted) lines.push_back(std::move(entry.line));
  return lines;
}

void Diagnostics::throw_if_any() const {
  if (entries_.empty()) return;
  std::string text = fmt::format("{}", fmt::join(lines(), "\n"));
  if (entries_.size() > 1) text += fmt::format("\n{} errors", entries_.size());
  throw Error(ErrorKind::kUsage, text);
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  int best = std::min(3, static_cast<int>(word.size()));
  std::string found;
  for (const std::string& candidate : candidates) {
    const int distance = edit_distance(word, candidate);
    if (distance >= best) continue;
    best = distance;
    found = candidate;
  }
  return found;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  // YAML takes "linear:10" for a word.
  const size_t colon = word.find(':');
  if (colon != std::string_view::npos && colon > 0) {
    return fmt::format(" (a blank is missing after '{}')", word.substr(0, colon + 1));
  }
  const std::string ours = known_by_another_name(word, candidates);
  if (!ours.empty()) return fmt::format(" (here it is '{}')", ours);
  const std::string near = closest(word, candidates);
  if (!near.empty()) return fmt::format(" (did you mean '{}'?)", near);
  if (candidates.empty()) return "";
  return fmt::format(" (known: {})", fmt::join(candidates, ", "));
}

}  // namespace mica::trainers
