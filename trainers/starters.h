// The configs to start from: those of configs/, which the program carries, and one made for a data
// set.
//
//   for (const Starter& starter : starters()) print(starter.name, summary_of(starter));
//   write_file("run.yaml", starter_for(starter_options));
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mica::trainers {

struct Starter {
  std::string_view name;  // of the file, without .yaml
  std::string_view text;
};
/// In the order of their names.
std::span<const Starter> starters();
/// The one of that name, where '-' and '_' are the same; null if there is none.
const Starter* find_starter(std::string name);
/// Its text for a file in `folder`. A data.path that leads out of configs/ is rewritten to what it
/// leads to, where `folder` lies in Mica's sources; elsewhere it is left out, so that the data set
/// is fetched.
std::string text_for(const Starter& starter, const std::filesystem::path& folder);
/// The first sentence of the comment at its top.
std::string summary_of(const Starter& starter);

/// What a config is made for.
struct StarterOptions {
  std::string data = "data.h5";  // as the config shall say it
  std::string about;             // of the data, for a comment
  std::vector<int64_t> example = {28, 28, 1};
  int64_t outputs = 10;
  bool classification = true;
  bool has_val = true;
  std::string kind = "auto";  // linear, mlp, cnn; auto: cnn for pictures, else mlp
};

/// A config with comments that trains on such data. Throws a usage Error for a cnn on what are no
/// pictures.
std::string starter_config(const StarterOptions& options);

}  // namespace mica::trainers
