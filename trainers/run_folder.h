// Where a run keeps its files.
//
//   runs/<name>/config.yaml            the effective config: every default filled in, usable as is
//               run.json               command line, version, threads, seed, times, how it ended
//               log.txt                what the terminal showed
//               metrics.csv, .jsonl    a row every few steps, and one a report
//               summary.json           data set, layers, best epoch, scores of each split
//               report.html            all of it on one page, rewritten as the run goes on
//               plots/loss.png ...     its pictures
//               tb/train, tb/val       events for TensorBoard
//               checkpoints/last.h5, best.h5, last.previous.h5, epoch-0010.h5, ...
//
// A new run never writes into an old one's folder: it takes <name>-2, <name>-3, ... unless its
// folder was named with --out. Nothing ever changes the current directory.
#pragma once

#include <filesystem>
#include <string>

namespace mica::trainers {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path config() const { return path / "config.yaml"; }
  std::filesystem::path info() const { return path / "run.json"; }
  std::filesystem::path summary() const { return path / "summary.json"; }
  std::filesystem::path report() const { return path / "report.html"; }
  std::filesystem::path plots() const { return path / "plots"; }
  std::filesystem::path events() const { return path / "tb"; }
  std::filesystem::path log() const { return path / "log.txt"; }
  std::filesystem::path last() const { return path / "checkpoints" / "last.h5"; }
  std::filesystem::path best() const { return path / "checkpoints" / "best.h5"; }
  /// The checkpoint before last.h5, kept until the next one stands.
  std::filesystem::path previous() const { return path / "checkpoints" / "last.previous.h5"; }

  /// Kept for good with train.keep_every: epoch-0010.h5.
  std::filesystem::path of_epoch(int64_t epoch) const;

  /// Makes the folder. Throws Error (data) naming it and the reason.
  void create() const;
};

/// Makes a folder and those on its way; nothing for an empty path. Throws Error (data) naming it
/// and the reason.
void make_folder(const std::filesystem::path& folder);

/// The bytes of a file. Throws Error (data) if there is none.
std::string read_text(const std::filesystem::path& file);

/// Makes `link` another name of `file`, in one step; a copy where there are no hard links.
void link_over(const std::filesystem::path& file, const std::filesystem::path& link);

/// runs/<name>, or the first of runs/<name>-2, -3, ... that does not exist.
RunFolder new_run_folder(const std::filesystem::path& runs, const std::string& name);
/// The one of runs/<name>, <name>-2, ... with the highest number that exists. Throws a usage Error
/// when there is none.
RunFolder newest_run_folder(const std::filesystem::path& runs, const std::string& name);

}  // namespace mica::trainers
