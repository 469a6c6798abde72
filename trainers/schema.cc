// `mica config schema`: the same tables that the parser reads, as text for people.
#include "trainers/config.h"

namespace mica::trainers {
namespace {

void describe(const std::vector<Setting>& settings, int indent, std::string& text) {
  for (const Setting& setting : settings) {
    const bool required = !setting.problem().empty();
    std::string line =
        fmt::format("{:{}}{}: {}", "", indent, setting.name, required ? "..." : setting.print());
    text += fmt::format("{:<34}# {}", line, setting.info.doc);
    if (!setting.info.choices.empty())
      text += fmt::format(" [{}]", setting.info.choices);
    else
      text += fmt::format(" ({})", setting.type_name());
    text += required ? ", must be given\n" : "\n";
  }
}

template <class Interface>
void describe_rows(std::string_view title, std::span<const Row<Interface>> rows,
                   std::string& text) {
  text += fmt::format("\n# {}\n", title);
  for (const Row<Interface>& row : rows) {
    text += fmt::format("{:<34}# {}\n", fmt::format("{}:", row.name), row.doc);
    const std::unique_ptr<Interface> made = row.make();
    describe(made->settings(), 2, text);
  }
}

}  // namespace

std::string describe_schema() {
  DataConfig data;
  TrainConfig train;
  std::string text =
      "# What a config may hold, with the defaults.\n"
      "name: ...                         # of the run (the file's name by default)\n"
      "seed: 0                           # decides initial weights, order and dropout\n"
      "precision: float32                # of products and convolutions: float32 or bf16; "
      "weights,\n"
      "                                  # norms and losses stay float32 [float32|bf16]\n"
      "model: [...]                      # layers, and blocks {repeat: ..., layers: [...]}\n"
      "loss: ...                         # one loss\n"
      "optimizer:                        # one optimizer, and:\n"
      "  schedule: constant              # one schedule or a list, one after another\n"
      "  groups: []                      # [{match: \"*.bias\", lr_factor: 1, weight_decay: 0}]\n"
      "  clip_norm: 0                    # bound on the norm of all gradients; 0: none\n"
      "  clip_value: 0                   # bound on each element of a gradient; 0: none\n"
      "data:\n";
  describe(settings_of(data), 2, text);
  text +=
      "  augment: []                     # changes of training examples, one after another, e.g.\n"
      "                                  # [pad_crop: 4, flip]\n";
  text += "train:\n";
  describe(settings_of(train), 2, text);
  describe_rows("augmentations", data::augment_rows(), text);
  describe_rows("layers", nn::module_rows(), text);
  describe_rows("losses", nn::loss_rows(), text);
  describe_rows("optimizers", optim::optimizer_rows(), text);
  describe_rows("schedules", optim::schedule_rows(), text);
  return text;
}

}  // namespace mica::trainers
