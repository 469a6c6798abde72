// The weights of a model to and from files of other programs.
//
//   const WeightNames names = read_weight_names("torch");     // mica, torch, mlx, keras or a file
//   save_weights(*network, {28, 28, 1}, "model.safetensors", names);
//   load_weights(*network, {28, 28, 1}, "model.safetensors", names);
//   load_weights(*network, {28, 28, 1}, "model.keras", {});   // by what the file says of itself
//
// Written: .safetensors, .npz and .h5, by the end of the name. Read: these, and what Keras saves
// (.keras, .weights.h5, .h5). What the frameworks call the weights and how they lay them out is
// said in nn/foreign.h; names of one's own come from a file of YAML:
//
//   layout: torch                  # how the arrays lie: mica, torch, mlx or keras
//   names:                         # ours: theirs; the first that fits, else as `layout` has it
//     "0.*": features.conv.*       # "*" is any text, and the same one on the right
//     /(\d+)\.(weight|bias)/: "net.$1.$2"       # or a regular expression between slashes
//   ignore: ["*.num_batches_tracked"]   # theirs that are left out
//   keep: ["9.*"]                       # ours that are not read: they stay as they are
//
// A file that does not fit is one Error(kData) with everything that is missing, of another shape or
// left over.
#pragma once

#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "nn/foreign.h"

namespace mica::trainers {

struct WeightNames {
  struct Rule {
    std::string text;  // as it was written
    std::regex pattern;
    std::string replacement;
  };
  nn::Framework layout = nn::Framework::kMica;
  std::vector<Rule> rules;
  std::vector<std::string> ignore, keep;
  std::string source;  // what was asked for: "torch", or the file's name
};

/// `text` is the name of a framework, or of a file. Throws a usage Error for anything else, and
/// with every mistake in the file.
WeightNames read_weight_names(const std::string& text);

/// Without `names`, files that say whose they are (Keras's, and .safetensors with "format" in its
/// metadata) are taken for that; others are a usage Error.
void load_weights(nn::Module& network, const Shape& example, const std::string& path,
                  const std::optional<WeightNames>& names);

/// Whether the file is one of another program, not a checkpoint.
bool is_foreign(const std::string& path);

/// Replaces the file in one step; equal weights give equal bytes. `metadata` goes into .safetensors
/// only, beside "format".
void save_weights(const nn::Module& network, const Shape& example, const std::string& path,
                  const WeightNames& names,
                  const std::map<std::string, std::string>& metadata = {});

}  // namespace mica::trainers
