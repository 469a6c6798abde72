// Turning any source of examples into one prepared HDF5 file, which is all that training reads.
//
//   PrepareOptions options;
//   options.source = "csv";
//   options.path = "housing.csv";
//   options.out = "housing.h5";
//   options.target = "median_house_value";
//   PrepareSummary done = prepare(options, [](const PrepareProgress& p) { ... });
//
// The file is written in one step: a failure leaves whatever was there before. Equal rows and
// options give equal bytes, whatever the order of the rows in the source, unless the source brings
// its own splits, whose order is kept.
//
// Layout (also read by h5py and everything else that reads HDF5):
//
//   /train/x /train/y   /val/x /val/y   /test/x /test/y      only the splits that have rows
//   x: uint8 (N, height, width, channels) images, or float32 (N, ...) features
//   y: int32 (N,) class numbers from 0, or float32 (N, targets)
//   attributes of the root:
//     format "mica-dataset", format_version 1, created_by "mica prepare", source, source_sha256,
//     task "classification" or "regression", class_names, feature_names, target_names,
//     mean, std (float64, of the training split: per channel of an image in its stored units, per
//     feature otherwise; population standard deviation), target_mean, target_std (regression),
//     fill (csv: what stands in for a missing value of each feature), split_method, seed
//
// mean, std and their target_ kin are left out when there is no training split.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/fields.h"
#include "core/graph/shape.h"

namespace mica::data {

struct PrepareOptions {
  /// Kind of source: a name of data/sources/sources.def.
  std::string source;
  /// File or folder to read. Empty: the data set of data/catalogue.def that is named as the source
  /// is, found on this machine or downloaded.
  std::string path;
  /// Prepared file to write.
  std::string out;
  /// How to split, as "test=0.2,val=0.1"; the rest is the training split, and "test=1" leaves
  /// none. "random,", "stratified," or "hash," in front of the shares says how rows are drawn; by
  /// hash, each by itself, so that it stays in its split when rows are added. "column=NAME" takes
  /// them from a column of a CSV file (train, val or test). "auto" keeps a source's own splits (two
  /// at least: one part alone counts as not split) and otherwise takes test=0.2. With a source that
  /// has a test split, naming only val cuts val from the training split; naming test puts all rows
  /// together and splits them anew.
  std::string split = "auto";
  /// Every split gets its share of every class (classification only).
  bool stratify = true;
  /// Decides which rows go to which split.
  uint64_t seed = 0;
  /// "auto", "classification" or "regression". auto: text and integer targets are classes (from
  /// CSV only integers of at most 20 values), other numbers are regressed.
  std::string task = "auto";
  /// Number of classes, against which labels are checked; 0: what the source kind has (10 for
  /// mnist) or the labels show.
  int64_t classes = 0;
  /// csv: target column(s) by name or number from 1. Needed with a header; without one the last
  /// column is taken.
  std::vector<std::string> target;
  /// csv: columns to leave out, by name or number from 1.
  std::vector<std::string> drop;
  /// csv: columns to read as categories although they hold numbers.
  std::vector<std::string> categorical;
  /// csv: "auto" (a header is a first row without numbers), "yes" or "no".
  std::string header = "auto";
  /// csv: one character, or "auto": the one of , ; tab and | that the first line has most of.
  std::string delimiter = "auto";
  /// csv: "one_hot" makes a feature of every category, "codes" numbers them in one feature.
  std::string encode = "one_hot";
  /// images: 1, 3 or 4; 0: 1 if all files are grey, else 3 (transparency is dropped).
  int64_t channels = 0;
  /// npz, npy, hdf5: "auto", "nhwc" or "nchw" for arrays with four axes. auto: channels come first
  /// if only the second axis is 1, 3 or 4 long.
  std::string layout = "auto";
  /// cifar100: "fine" (100 classes) or "coarse" (20).
  std::string labels = "fine";
  /// Leaves one row of those that are alike in x and y; see data/duplicates.h.
  bool drop_duplicates = false;
  /// images: goes on without damaged files.
  bool skip_corrupt = false;
  /// Fetching by name: only what is on this machine.
  bool offline = false;
  /// Fetching by name: an URL to try before the usual ones, as MIRROR/FILE.
  std::string mirror;
  /// Fetching by name: keeps what was downloaded; empty for $MICA_CACHE or ~/.cache/mica.
  std::string cache;

  FIELDS(PrepareOptions, source, path, out, split, stratify, seed, task, classes, target, drop,
         categorical, header, delimiter, encode, channels, layout, labels, drop_duplicates,
         skip_corrupt, offline, mirror, cache)
};

struct PrepareProgress {
  std::string stage;  // "fetching FILE", "reading", "splitting", "writing"
  int64_t done = 0;
  int64_t total = 0;            // 0 while it is not known
  double bytes_per_second = 0;  // of a download, whose `done` and `total` are bytes
};
/// Called from one thread at a time.
using ProgressFunction = std::function<void(const PrepareProgress&)>;

/// A damaged file of a source.
struct CorruptFile {
  std::string path;
  std::string reason;
};

/// A row in a split of the file, both from 0.
struct RowPlace {
  std::string split;
  int64_t row = 0;
  int64_t label = -1;  // -1 where there are no classes
};

/// Rows that are there more than once, going by x.
struct DuplicateReport {
  /// Sets of rows of one x, and rows in them beyond the first.
  int64_t groups = 0;
  int64_t extra = 0;
  /// Rows beyond the first of their split, by split.
  std::map<std::string, int64_t> within;
  /// By two splits ("train, test"): rows of the second whose x is in the first, too.
  std::map<std::string, int64_t> shared;
  /// Sets of one x whose y differ.
  int64_t contradictions = 0;
  /// The first few sets: of several splits first, then contradictions, then others.
  std::vector<std::vector<RowPlace>> examples;
  /// Rows that were dropped.
  int64_t dropped = 0;
};

/// Of each entry of x's last axis: the channels of pictures, the features.
struct SplitStatistics {
  std::vector<double> mean, std, min, max;
};

struct PrepareSummary {
  std::string out;
  std::string task;
  std::map<std::string, int64_t> rows;  // by split
  Shape sample_shape;                   // of one example's x
  std::string dtype;                    // of x: "uint8" or "float32"
  std::vector<std::string> class_names;
  std::vector<std::string> feature_names;
  std::vector<std::string> target_names;
  /// By split, one count a class (classification).
  std::map<std::string, std::vector<int64_t>> class_counts;
  std::vector<double> mean, std;
  std::map<std::string, SplitStatistics> statistics;  // by split
  DuplicateReport duplicates;
  std::vector<CorruptFile> corrupt;  // those that were skipped
  std::string split_method;
  std::string source_sha256;
  int64_t bytes = 0;  // of the file written
  /// What a reader should know: imputed cells, skipped files, guesses made.
  std::vector<std::string> notes;
};

/// Throws Error(kUsage) for options that make no sense and Error(kData), naming file and place, for
/// a source that does not hold what it should.
PrepareSummary prepare(const PrepareOptions& options, const ProgressFunction& progress = {});

/// Names and one-line descriptions of what `source` may be.
std::vector<std::pair<std::string, std::string>> source_names();

}  // namespace mica::data
