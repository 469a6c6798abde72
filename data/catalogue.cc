#include "data/catalogue.h"

namespace mica::data {
namespace {

std::vector<CatalogueEntry> make_catalogue() {
  std::vector<CatalogueEntry> entries;
#define DATASET(name, page) entries.push_back({name, page, {}, {}, {}});
#define MIRROR(url) entries.back().mirrors.push_back(url);
#define FOLDER(path) entries.back().folders.push_back(path);
#define DATA_FILE(name, bytes, sha256, content_bytes, content_sha256) \
  entries.back().files.push_back({name, bytes, sha256, content_bytes, content_sha256});
#include "data/catalogue.def"
#undef DATASET
#undef MIRROR
#undef FOLDER
#undef DATA_FILE
  return entries;
}

}  // namespace

std::span<const CatalogueEntry> catalogue() {
  static const std::vector<CatalogueEntry> entries = make_catalogue();
  return entries;
}

const CatalogueEntry* find_in_catalogue(std::string_view name) {
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace mica::data
