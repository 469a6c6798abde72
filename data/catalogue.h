// The catalogue: what is known about data sets that can be fetched by name.
//
//   const CatalogueEntry* entry = find_in_catalogue("mnist");    // nullptr if there is none
//   entry->files[0].sha256;
//
// The facts are rows of data/catalogue.def, the only place that names them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mica::data {

struct CatalogueFile {
  std::string name;
  int64_t bytes = 0;
  std::string sha256;
  /// Of what gunzip makes of it; 0 and "" where a copy packed otherwise is not looked for.
  int64_t content_bytes = 0;
  std::string content_sha256;
};

struct CatalogueEntry {
  std::string name;
  /// Where a person would look for the files.
  std::string page;
  std::vector<std::string> mirrors;
  std::vector<std::string> folders;
  std::vector<CatalogueFile> files;
};

std::span<const CatalogueEntry> catalogue();
const CatalogueEntry* find_in_catalogue(std::string_view name);

}  // namespace mica::data
