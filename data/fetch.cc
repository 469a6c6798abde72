#include "data/fetch.h"

#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"
#include "data/download.h"
#include "data/gzip.h"
#include "data/sha256.h"

namespace mica::data {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

std::string sha256_of(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

/// Why the file is not the one of the catalogue; "" if it is.
std::string difference(const std::string& path, const CatalogueFile& file) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return "is missing";
  if (static_cast<int64_t>(size) == file.bytes && sha256_of_file(path) == file.sha256) return "";
  if (!file.content_sha256.empty()) {
    // Packed otherwise? A damaged file is as different as another one.
    try {
      if (sha256_of(read_maybe_gzip(path)) == file.content_sha256) return "";
    } catch (const Error&) {
    }
  }
  if (static_cast<int64_t>(size) != file.bytes) {
    return fmt::format("has {} bytes, wanted {}", size, file.bytes);
  }
  return "has another sha256 than " + file.sha256;
}

bool has_all(const std::string& folder, const CatalogueEntry& entry) {
  for (const CatalogueFile& file : entry.files) {
    if (!difference(folder + "/" + file.name, file).empty()) return false;
  }
  return true;
}

/// How a person gets the files, as the end of an error.
std::string by_hand(const CatalogueEntry& entry, const std::string& folder) {
  std::string text = fmt::format("Or get them from {} and put into {}:\n", entry.page, folder);
  for (const CatalogueFile& file : entry.files) {
    text += fmt::format("  {}  {} bytes, sha256 {}\n", file.name, file.bytes, file.sha256);
  }
  return text + fmt::format("or name where they lie: mica prepare {} --source PATH --out FILE",
                            entry.name);
}

void download_file(const CatalogueEntry& entry, const CatalogueFile& file,
                   const std::string& folder, const FetchOptions& options,
                   const ProgressFunction& progress) {
  Download wanted;
  wanted.path = folder + "/" + file.name;
  wanted.bytes = file.bytes;
  wanted.sha256 = file.sha256;
  for (const auto& mirrors : {options.mirrors, entry.mirrors}) {
    for (const std::string& mirror : mirrors) {
      wanted.urls.push_back(
          fmt::format("{}{}{}", mirror, mirror.ends_with('/') ? "" : "/", file.name));
    }
  }
  try {
    download(wanted, [&](const DownloadProgress& state) {
      progress({"fetching " + file.name, state.done, state.total, state.bytes_per_second});
    });
  } catch (const Error& error) {
    fail(error.kind(), "{}\n{}", error.what(), by_hand(entry, folder));
  }
}

}  // namespace

std::string cache_folder() {
  const std::string own = variable("MICA_CACHE");
  if (!own.empty()) return own;
  const std::string cache = variable("XDG_CACHE_HOME");
  if (cache.starts_with('/')) return cache + "/mica";
  const std::string home = variable("HOME");
  if (home.empty()) {
    fail(ErrorKind::kUsage, "no folder to keep downloads in: set MICA_CACHE (HOME is not set)");
  }
  return home + "/.cache/mica";
}

Fetched fetch(const CatalogueEntry& entry, const FetchOptions& options,
              const ProgressFunction& progress) {
  const std::string cache =
      (options.cache.empty() ? cache_folder() : options.cache) + "/" + entry.name;
  progress({"looking for " + entry.name, 0, 0, 0});
  if (has_all(cache, entry)) return {cache, 0};
  for (const std::string& folder : entry.folders) {
    if (has_all(folder, entry)) return {folder, 0};
  }
  if (options.offline) {
    std::string missing;
    for (const CatalogueFile& file : entry.files) {
      const std::string why = difference(cache + "/" + file.name, file);
      if (!why.empty()) missing += fmt::format("\n  {}/{}: {}", cache, file.name, why);
    }
    for (const std::string& folder : entry.folders) {
      missing += fmt::format("\n  {}: not all files are there", folder);
    }
    fail(ErrorKind::kData,
         "{}: not on this machine, and --offline keeps it from being fetched:{}\n{}", entry.name,
         missing, by_hand(entry, cache));
  }
  std::error_code error;
  fs::create_directories(cache, error);
  if (error) fail(ErrorKind::kData, "{}: cannot make the folder: {}", cache, error.message());
  Fetched result = {cache, 0};
  for (const CatalogueFile& file : entry.files) {
    if (difference(cache + "/" + file.name, file).empty()) continue;
    download_file(entry, file, cache, options, progress);
    ++result.downloaded;
  }
  return result;
}

}  // namespace mica::data
