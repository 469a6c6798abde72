#include "trainers/starters.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "core/base/error.h"
#include "trainers/reader.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

// Blocks of convolution and pooling while pictures are large enough, up to three.
int conv_blocks(const std::vector<int64_t>& example) {
  int blocks = 0;
  for (int64_t side = std::min(example[0], example[1]); side >= 4 && blocks < 3; side /= 2) {
    ++blocks;
  }
  return std::max(blocks, 1);
}

std::string cnn(const StarterOptions& options) {
  std::string channels;
  int64_t width = 32;
  for (int i = 0; i < conv_blocks(options.example); ++i, width *= 2) {
    channels += fmt::format("{}{{channels: {}}}", i == 0 ? "" : ", ", width);
  }
  return fmt::format(
      "  - repeat: [{}]     # the block below, once for each\n"
      "    layers: [conv2d: {{out: $channels, kernel: 3, padding: 1}}, batch_norm, relu, "
      "max_pool2d: 2]\n"
      "  - flatten\n"
      "  - linear: 128\n"
      "  - relu\n"
      "  - dropout: 0.3\n",
      channels);
}

std::string hidden_layers(const StarterOptions& options, const std::string& kind) {
  if (kind == "cnn") return cnn(options);
  const std::string flatten = options.example.size() > 1 ? "  - flatten\n" : "";
  if (kind == "linear") return flatten;
  return flatten + "  - linear: 128\n  - relu\n  - dropout: 0.2\n  - linear: 64\n  - relu\n";
}

}  // namespace

const Starter* find_starter(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  if (name.ends_with(".yaml")) name.resize(name.size() - 5);
  for (const Starter& starter : starters()) {
    if (starter.name == name) return &starter;
  }
  return nullptr;
}

std::string text_for(const Starter& starter, const fs::path& folder) {
  std::string text(starter.text);
  const size_t line = text.find("\n  path: ../");
  if (line == std::string::npos) return text;
  const size_t begin = text.find("..", line), length = text.find_first_of(" \n", begin) - begin;
  const std::string path = text.substr(begin, length);
  fs::path from = fs::absolute(folder.empty() ? "." : folder).lexically_normal();
  for (; !fs::exists(from / "configs" / path); from = from.parent_path()) {
    if (from != from.parent_path()) continue;
    const size_t end = text.find('\n', line + 1);
    return text.replace(line, end - line, "\n  # path: FOLDER   # without it, the data is fetched");
  }
  const fs::path found = (from / "configs" / path).lexically_normal();
  return text.replace(begin, length, fs::proximate(found, folder.empty() ? "." : folder).string());
}

std::string summary_of(const Starter& starter) {
  std::string comment;
  std::string_view rest = starter.text;
  while (rest.starts_with("# ")) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    comment += fmt::format("{}{}", comment.empty() ? "" : " ", rest.substr(2, end - 2));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // "et al. 2016" ends no sentence.
  size_t end = comment.find(". ");
  while (end != std::string::npos && end + 2 < comment.size() &&
         !std::isupper(static_cast<unsigned char>(comment[end + 2]))) {
    end = comment.find(". ", end + 1);
  }
  return comment.substr(0, end);
}

std::string starter_config(const StarterOptions& options) {
  const std::vector<int64_t>& example = options.example;
  // One pixel high or wide, there is nothing to pool.
  const bool pictures = example.size() == 3 && std::min(example[0], example[1]) > 1;
  const std::string kind = options.kind != "auto" ? options.kind : pictures ? "cnn" : "mlp";
  if (kind == "cnn" && !pictures) {
    fail(
        "a cnn wants pictures (height, width, channels) of at least 2 x 2, but the examples are "
        "({}); use mlp",
        fmt::join(example, ", "));
  }
  std::string text =
      "# What else may stand here: mica config schema. Does it fit: mica validate THIS_FILE.\n"
      "seed: 0                    # the same seed gives the same weights, bit for bit\n"
      "data:\n";
  text += fmt::format("  path: {}\n", to_flow(text_value(options.data)));
  if (!options.about.empty()) text += fmt::format("  # {}\n", options.about);
  text +=
      "  batch_size: 128\n"
      "  normalize: channel       # mean 0 and deviation 1, as the training split has them\n";
  if (!options.classification) {
    text += "  normalize_target: true   # scores stay in the target's units\n";
  }
  text += "model:\n" + hidden_layers(options, kind);
  text +=
      fmt::format("  - linear: {:<16} # {}\n", options.outputs,
                  options.classification ? "a score for each class" : "a number for each target");
  text += options.classification ? "loss: cross_entropy        # takes scores as they are\n"
                                 : "loss: huber                # less moved by outliers than mse\n";
  text +=
      "optimizer:\n"
      "  adamw: {lr: 1e-3, weight_decay: 1e-2}\n"
      "  schedule: [warmup: 1, cosine]   # one epoch up, then down to 0 at the end\n"
      "train:\n"
      "  epochs: 20\n";
  text += options.has_val
              ? "  keep: best               # the weights of the best validation\n"
                "  patience: 5              # stops after 5 epochs without a better one\n"
              : "  keep: last               # there is no validation split to choose by\n";
  return text;
}

}  // namespace mica::trainers
