// Data sets by name: found on this machine, or downloaded once.
//
//   const CatalogueEntry* mnist = find_in_catalogue("mnist");
//   Fetched files = fetch(*mnist, {}, progress);
//   files.folder;                  // "/root/.cache/mica/mnist": all files are in it and verified
//
// Looked through in this order: the cache, then folders of the system that the catalogue names. A
// folder counts when all files are in it with the right content. Otherwise what the cache lacks is
// downloaded into it (data/download.h), unless offline.
#pragma once

#include <string>
#include <vector>

#include "data/catalogue.h"
#include "data/prepare.h"

namespace mica::data {

struct FetchOptions {
  /// Folder with a subfolder a data set; "" for cache_folder().
  std::string cache;
  /// Never asks the network.
  bool offline = false;
  /// Tried before the catalogue's mirrors, as MIRROR/FILE.
  std::vector<std::string> mirrors;
};

struct Fetched {
  std::string folder;
  /// Of them, how many were downloaded just now.
  int64_t downloaded = 0;
};

/// $MICA_CACHE, else $XDG_CACHE_HOME/mica, else ~/.cache/mica.
std::string cache_folder();

/// Throws Error(kData) that says what was tried, and how to get the files by hand.
Fetched fetch(const CatalogueEntry& entry, const FetchOptions& options,
              const ProgressFunction& progress);

}  // namespace mica::data
