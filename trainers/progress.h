// How far a run is, on the terminal.
//
//   Progress progress(stderr, Progress::detect(stderr));
//   progress.line("training on 10000 examples");
//   progress.update(state);                   // a bar, redrawn at most ten times a second
//   progress.line("epoch 1/5 ...");           // clears the bar first; also goes to the log file
//
// On a terminal there is a bar that is redrawn in place; elsewhere (a file, a pipe, TERM=dumb) only
// whole lines without control codes, for updates at most one in 30 seconds. NO_COLOR turns colour
// off, a locale other than UTF-8 turns the bar to ASCII. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace mica::trainers {

struct ProgressState {
  int64_t epoch = 0;  // from 1
  int64_t epochs = 0;
  int64_t step = 0;   // within the epoch, from 1
  int64_t steps = 0;  // in an epoch
  double loss = 0;
  std::string metric{};  // "accuracy 0.953", may be empty
  double samples_per_second = 0;
  double data_wait = 0;     // share of the time spent waiting for data, 0 to 1
  double seconds_left = 0;  // of the whole run
};

class Progress {
 public:
  enum class Mode { kBar, kLine, kNone };
  static Mode detect(std::FILE* out);

  Progress(std::FILE* out, Mode mode);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Lines go to this file as well, appended.
  void log_to(const std::filesystem::path& file);
  void update(const ProgressState& state);
  /// Other work than training: a text in place of the bar, on a terminal only.
  void status(const std::string& text);
  /// A whole line, whatever the mode.
  void line(const std::string& text);
  /// The bar is wiped off; the next update draws it again.
  void clear();

  /// "3.2 s", "4:05", "1:02:03".
  static std::string duration(double seconds);
  /// The bar's line for a terminal of `width` columns, without colour.
  static std::string draw(const ProgressState& state, int width, bool utf8);

 private:
  using Clock = std::chrono::steady_clock;

  bool is_due(double seconds);
  void draw_over(std::string text);

  std::FILE* out_;
  Mode mode_;
  bool color_;
  bool utf8_;
  bool drawn_ = false;
  Clock::time_point last_;
  std::filesystem::path log_;
};

}  // namespace mica::trainers
