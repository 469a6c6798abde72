// A config as one tree, put together from its files and the command line; later ones win:
//
//   the files of `base:`, in their order     (each may have a base of its own)
//   the config itself
//   --set-file FILE, in their order
//   --set KEY=VALUE, in their order
//
//   ConfigTree tree = load_tree("run.yaml", {"@small.yaml", "seed=1"}, errors);
//   tree.root.find("seed")->at.text();      // "--set #1"
//
// How values meet is merge_over's (override.h). The name of a base is not inherited. Paths of files
// count from the folder of the file that names them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "trainers/value.h"

namespace mica::trainers {

struct ConfigTree {
  Value root;
  std::string name;                            // by default: the file's, without .yaml
  std::map<std::string, std::string> folders;  // of each source that Locations name
};

/// `overrides` are those of override.h, and "@FILE" for --set-file. Throws a usage Error when the
/// config can't be opened or is no YAML.
ConfigTree load_tree(const std::string& path, const std::vector<std::string>& overrides,
                     Diagnostics& errors);
/// The same for text, whose paths count from `folder`.
ConfigTree parse_tree(const std::string& text, const std::string& source, const std::string& folder,
                      const std::vector<std::string>& overrides, Diagnostics& errors);

}  // namespace mica::trainers
