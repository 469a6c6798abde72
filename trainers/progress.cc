#include "trainers/progress.h"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <fstream>

namespace mica::trainers {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kLineSeconds = 30;

bool is_set(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr && *text != '\0';
}

bool locale_is_utf8() {
  std::setlocale(LC_CTYPE, "");
  return std::string(nl_langinfo(CODESET)) == "UTF-8";
}

int terminal_width(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

double fraction(const ProgressState& state) {
  if (state.steps <= 0) return 0;
  return std::clamp(static_cast<double>(state.step) / static_cast<double>(state.steps), 0.0, 1.0);
}

std::string count(double value) {
  if (value >= 1e5) return fmt::format("{:.0f}k", value / 1e3);
  return value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.1f}", value);
}

// What follows the bar.
std::string numbers(const ProgressState& state) {
  std::string text = fmt::format("loss {:.4f}", state.loss);
  if (!state.metric.empty()) text += fmt::format("  {}", state.metric);
  text += fmt::format("  {} samples/s", count(state.samples_per_second));
  if (state.data_wait >= 0.05) text += fmt::format("  data wait {:.0f}%", 100 * state.data_wait);
  return text + fmt::format("  {} left", Progress::duration(state.seconds_left));
}

}  // namespace

Progress::Mode Progress::detect(std::FILE* out) {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string(term) == "dumb";
  return isatty(fileno(out)) && !dumb ? Mode::kBar : Mode::kLine;
}

Progress::Progress(std::FILE* out, Mode mode)
    : out_(out),
      mode_(mode),
      color_(mode == Mode::kBar && !is_set("NO_COLOR")),
      utf8_(mode == Mode::kBar && locale_is_utf8()),
      last_(Clock::now()) {}

Progress::~Progress() { clear(); }

void Progress::log_to(const std::filesystem::path& file) { log_ = file; }

void Progress::update(const ProgressState& state) {
  if (mode_ == Mode::kBar && is_due(kRedrawSeconds)) {
    // One column stays free: some terminals wrap when the last one is written.
    draw_over(draw(state, terminal_width(out_) - 1, utf8_));
  } else if (mode_ == Mode::kLine && is_due(kLineSeconds)) {
    line(fmt::format("epoch {}/{}  step {}/{}  {}", state.epoch, state.epochs, state.step,
                     state.steps, numbers(state)));
  }
}

void Progress::status(const std::string& text) {
  if (mode_ != Mode::kBar || !is_due(kRedrawSeconds)) return;
  draw_over(text.substr(0, static_cast<size_t>(terminal_width(out_) - 1)));
}

bool Progress::is_due(double seconds) {
  const Clock::time_point now = Clock::now();
  if (std::chrono::duration<double>(now - last_).count() < seconds) return false;
  last_ = now;
  return true;
}

void Progress::draw_over(std::string text) {
  if (color_) text = fmt::format("\033[36m{}\033[0m", text);
  fmt::print(out_, "\r{}\033[K", text);
  std::fflush(out_);
  drawn_ = true;
}

void Progress::line(const std::string& text) {
  clear();
  if (mode_ != Mode::kNone) {
    fmt::print(out_, "{}\n", text);
    std::fflush(out_);
  }
  if (!log_.empty()) std::ofstream(log_, std::ios::app) << text << '\n';
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(out_, "\r\033[K");
  std::fflush(out_);
  drawn_ = false;
}

std::string Progress::duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string Progress::draw(const ProgressState& state, int width, bool utf8) {
  const std::string head = fmt::format("{}/{} ", state.epoch, state.epochs);
  const std::string tail = fmt::format(" {:3.0f}%  {}", 100 * fraction(state), numbers(state));
  const int room = width - static_cast<int>(head.size() + tail.size());
  if (room < 5) return (head + tail).substr(0, static_cast<size_t>(std::max(width, 0)));
  const int bar = std::min(room, 30);
  const int full = static_cast<int>(fraction(state) * bar);
  std::string text = head;
  for (int i = 0; i < bar; ++i) {
    if (utf8)
      text += i < full ? "━" : "┄";
    else
      text += i < full ? '#' : '-';
  }
  return text + tail;
}

}  // namespace mica::trainers
