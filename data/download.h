// One file over HTTP or HTTPS: whole and right, or not there at all.
//
//   Download file;
//   file.path = "cache/housing.csv";
//   file.urls = {"https://a.org/housing.csv", "https://b.org/housing.csv"};
//   file.bytes = 1423529;
//   file.sha256 = "8a37...";
//   download(file, [](const DownloadProgress& p) { ... });
//
// Bytes go to PATH.part, which is renamed when its size and SHA-256 are right. A broken connection
// is taken up where it ended (Range), as is a PATH.part that an earlier process left; servers that
// know no ranges send it anew. What a server says it will send is compared with what is wanted
// before a byte is kept, so that an error page never gets into the file. HTTP proxies are those of
// the environment (https_proxy, http_proxy, no_proxy).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace mica::data {

struct Download {
  std::string path;
  /// Tried in this order.
  std::vector<std::string> urls;
  int64_t bytes = 0;
  std::string sha256;
};

struct DownloadLimits {
  double connect_seconds = 15;
  /// Without a byte for so long, the connection counts as broken.
  double stall_seconds = 30;
  /// Of one mirror, without getting further than before.
  int64_t attempts = 4;
  /// Before the second attempt; doubled for each one after it.
  double pause_seconds = 1;
};

struct DownloadProgress {
  int64_t done = 0;
  int64_t total = 0;
  double bytes_per_second = 0;  // since the download began; 0 while not known
};
using DownloadProgressFunction = std::function<void(const DownloadProgress&)>;

/// Throws Error(kData) with a line an URL that says what came back. PATH is then as it was before.
void download(const Download& file, const DownloadProgressFunction& progress,
              const DownloadLimits& limits = {});

}  // namespace mica::data
