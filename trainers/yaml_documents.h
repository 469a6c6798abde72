// The one YAML document of a text.
//
//   std::optional<YAML::Mark> more;
//   YAML::Node root = load_document(text, more);
//   if (more) ...                                  // there is something behind it, at this place
//
// YAML::LoadAll() does not end where text is left that belongs to no document, and YAML::Load()
// reads the first one without a word about others. Throws YAML::Exception for what is no YAML.
#pragma once

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>

namespace mica::trainers {

YAML::Node load_document(const std::string& text, std::optional<YAML::Mark>& more);

}  // namespace mica::trainers
