// What a model takes, and examples that are made for it from files: `mica predict` reads pictures,
// folders, tables, arrays and lines of standard input through here.
//
//   ExampleSpec spec = spec_of(model);
//   read_input("digits/", spec, {.take = [&](Example e) { ... }, .refuse = ..., .note = ...});
//
// One bad file or row is told to `refuse` in a line that names it, and the rest goes on.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/host_tensor.h"
#include "trainers/trained.h"

namespace mica::trainers {

struct ExampleSpec {
  Shape shape;
  /// The model was trained on bytes (pictures), not on float numbers.
  bool bytes = false;
  std::vector<std::string> features;  // names; "column=category" of a category. May be unknown.
  std::vector<double> fill;           // what stands for a missing value of each; may be unknown
  bool resize = false;                // pictures of another size are scaled
  std::string array;                  // which of the arrays of a file; empty: the one that fits
  std::string split;                  // which split of a prepared file; empty: test, val or train

  /// Pictures can be examples: height x width x 1, 3 or 4 bytes.
  bool takes_pictures() const;
};
ExampleSpec spec_of(const TrainedModel& model);

struct Example {
  std::string input;          // the file
  int64_t row = -1;           // of the file, from 0; -1: the file is a single example
  std::vector<float> values;  // as the data set had them, before normalisation
};

struct ExampleSink {
  std::function<void(Example)> take;
  std::function<void(const std::string&)> refuse;
  std::function<void(const std::string&)> note;  // what a user may want to know
  std::function<void()> flush;                   // nothing more may come for a while
};

/// A picture, a folder of them, a table, an array file, or "-" for standard input.
void read_input(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink);

// By kind, for read_input().
void read_pictures(const std::vector<std::string>& paths, const ExampleSpec& spec,
                   const ExampleSink& sink);
void read_picture_folder(const std::string& folder, const ExampleSpec& spec,
                         const ExampleSink& sink);
void read_table(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink);
void read_npy_file(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink);
void read_npz_file(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink);
/// A prepared file or any other.
void read_hdf5_file(const std::string& path, const ExampleSpec& spec, const ExampleSink& sink);
/// Lines of CSV, the first of which may be a header, or paths of files; answered line by line.
void read_lines(const ExampleSpec& spec, const ExampleSink& sink);

/// "28 x 28 pixels, 1 channel", "13 features", "shape (3, 4, 5)".
std::string describe(const ExampleSpec& spec);

}  // namespace mica::trainers
