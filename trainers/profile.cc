#include "trainers/profile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "trainers/attribution.h"

namespace mica::trainers {
namespace {

// A long run would fill the memory; the start shows what repeats.
constexpr size_t kMostEvents = 1'000'000;

std::string shapes_text(Inputs in, Outputs out) {
  std::string text;
  for (const Operand& operand : in) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", shape_text(operand.shape));
  }
  text += " ->";
  for (const Operand& operand : out) text += fmt::format(" {}", shape_text(operand.shape));
  return text;
}

// Bytes behind an operand; what is broadcast lies there once.
double bytes_of(const Operand& operand) {
  double elements = 1;
  for (size_t i = 0; i < operand.shape.size(); ++i) {
    if (operand.strides[i] != 0) elements *= static_cast<double>(operand.shape[i]);
  }
  return elements * static_cast<double>(size_of(operand.dtype));
}

// 2 x (elements of the result) x (weight elements that meet in one of them).
double conv_flops(const Operand& result, const Operand& weight) {
  const auto channels = static_cast<double>(weight.shape.empty() ? 1 : weight.shape[0]);
  return 2 * static_cast<double>(result.size()) * static_cast<double>(weight.size()) /
         std::max(channels, 1.0);
}

}  // namespace

double flops_of(const Op& op, Inputs in, Outputs out) {
  const std::string_view name = op.name();
  if (in.size() < 2 || out.empty()) return 0;
  if (name.starts_with("matmul") && !in[0].shape.empty()) {
    return 2 * static_cast<double>(out[0].size()) * static_cast<double>(in[0].shape.back());
  }
  if (!name.starts_with("conv")) return 0;
  if (name.ends_with("_input")) return conv_flops(in[0], in[1]);
  if (name.ends_with("_weight")) return conv_flops(in[1], out[0]);
  return conv_flops(out[0], in[1]);
}

void Profile::start() {
  set_step_observer([this](const StepTiming& step) { add(step); });
  running_ = true;
}

void Profile::stop() {
  if (running_) set_step_observer(nullptr);
  running_ = false;
}

void Profile::add(const StepTiming& step) {
  double bytes = 0;
  for (const Operand& operand : step.in) bytes += bytes_of(operand);
  for (const Operand& operand : step.out) bytes += bytes_of(operand);
  const std::string shapes = shapes_text(step.in, step.out);
  const std::string name = step.op.print();
  std::lock_guard lock(mutex_);
  Total& total = totals_[{std::string(step.op.name()), shapes}];
  ++total.calls;
  total.seconds += std::chrono::duration<double>(step.end - step.begin).count();
  total.flops += flops_of(step.op, step.in, step.out);
  total.bytes += bytes;
  if (events_.size() < kMostEvents) {
    events_.push_back({name, shapes, std::this_thread::get_id(), step.begin, step.end});
  }
}

void Profile::add_span(const std::string& name, Clock::time_point begin, Clock::time_point end) {
  std::lock_guard lock(mutex_);
  if (events_.size() < kMostEvents) {
    events_.push_back({name, "", std::this_thread::get_id(), begin, end});
  }
}

std::vector<Profile::Row> Profile::rows(const MachineRates& rates) const {
  std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  for (const auto& [key, total] : totals_) {
    const auto calls = static_cast<double>(total.calls);
    rows.push_back({key[0], key[1], total.calls, total.seconds,
                    calls * rates.floor_seconds(total.flops / calls, total.bytes / calls)});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
  return rows;
}

std::string Profile::chrome_trace() const {
  std::lock_guard lock(mutex_);
  std::map<std::thread::id, int> tracks;
  Clock::time_point origin = Clock::time_point::max();
  for (const Event& event : events_) origin = std::min(origin, event.begin);
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  const auto microseconds = [](Clock::duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
  };
  for (const Event& event : events_) {
    const int track = tracks.try_emplace(event.thread, tracks.size() + 1).first->second;
    nlohmann::ordered_json entry = {{"name", event.name},
                                    {"ph", "X"},
                                    {"pid", 1},
                                    {"tid", track},
                                    {"ts", microseconds(event.begin - origin)},
                                    {"dur", microseconds(event.end - event.begin)}};
    if (!event.shapes.empty()) entry["args"] = {{"shapes", event.shapes}};
    events.push_back(std::move(entry));
  }
  return nlohmann::ordered_json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump();
}

}  // namespace mica::trainers
