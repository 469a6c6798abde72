#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/error.h"

namespace mica::optim {
namespace {

void check_length(const char* name, const char* what, int64_t length) {
  if (length < 1) fail("[{}] {} must be at least 1, got {}", name, what, length);
}

double share(int64_t step, int64_t steps) {
  return static_cast<double>(std::min(step, steps)) / static_cast<double>(steps);
}

double half_cosine(double lr, double end, double progress) {
  return end + (lr - end) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

int64_t steps_in(double epochs, const ScheduleSpan& span) {
  const double steps = epochs * static_cast<double>(span.steps_per_epoch);
  return std::max<int64_t>(1, std::llround(steps));
}

struct ConstantConfig {
  double epochs = 0;
  FIELDS(ConstantConfig, epochs)
  static constexpr FieldInfo kFieldInfo[] = {{"length; 0: to the end", 0}};
  Schedule build(const ScheduleSpan& span) const { return constant(span.lr); }
};

struct StepConfig {
  double every = 0;
  double factor = 0.1;
  double epochs = 0;
  FIELDS(StepConfig, every, factor, epochs)
  static constexpr FieldInfo kFieldInfo[] = {{"epochs between two decays", 1e-9},
                                             {"factor of each decay", 0},
                                             {"length; 0: to the end", 0}};
  Schedule build(const ScheduleSpan& span) const {
    return step_decay(span.lr, factor, steps_in(every, span));
  }
};

struct ExponentialConfig {
  double factor = 0.95;
  double epochs = 0;
  FIELDS(ExponentialConfig, factor, epochs)
  static constexpr FieldInfo kFieldInfo[] = {{"factor of an epoch", 0},
                                             {"length; 0: to the end", 0}};
  Schedule build(const ScheduleSpan& span) const {
    return exponential(span.lr, factor, span.steps_per_epoch);
  }
};

struct PolynomialConfig {
  double power = 1;
  double end = 0;
  double epochs = 0;
  FIELDS(PolynomialConfig, power, end, epochs)
  static constexpr FieldInfo kFieldInfo[] = {
      {"exponent", 0}, {"factor of the learning rate at the end", 0}, {"length; 0: to the end", 0}};
  Schedule build(const ScheduleSpan& span) const {
    return polynomial(span.lr, span.lr * end, span.steps, power);
  }
};

struct CosineConfig {
  double end = 0;
  double period = 0;
  double multiply = 1;
  double epochs = 0;
  FIELDS(CosineConfig, end, period, multiply, epochs)
  static constexpr FieldInfo kFieldInfo[] = {{"factor of the learning rate at the end", 0},
                                             {"epochs until a restart; 0: no restart", 0},
                                             {"factor of each next period", 1},
                                             {"length; 0: to the end", 0}};
  Schedule build(const ScheduleSpan& span) const {
    if (period == 0) return cosine(span.lr, span.lr * end, span.steps);
    return cosine_restarts(span.lr, span.lr * end, steps_in(period, span), multiply);
  }
};

struct WarmupConfig {
  double epochs = 1;
  double start = 0.01;
  FIELDS(WarmupConfig, epochs, start)
  static constexpr FieldInfo kFieldInfo[] = {{"length", 1e-9},
                                             {"factor of the learning rate at the start", 0}};
  Schedule build(const ScheduleSpan& span) const {
    return linear_warmup(span.lr * start, span.lr, steps_in(epochs, span));
  }
};

template <class Config>
class ScheduleConfigOf final : public ScheduleConfig {
 public:
  std::vector<Setting> settings() override { return settings_of(config_); }
  double epochs() const override { return config_.epochs; }
  Schedule build(const ScheduleSpan& span) const override {
    check_settings(config_, Config::kTypeName);
    return config_.build(span);
  }

 private:
  Config config_;
};

template <class Implementation>
std::unique_ptr<ScheduleConfig> make() {
  return std::make_unique<Implementation>();
}

constexpr ScheduleRow kSchedules[] = {
#define SCHEDULE(name, Config, doc) {#name, doc, make<ScheduleConfigOf<Config>>},
#include "optim/schedules.def"
#undef SCHEDULE
};

}  // namespace

Schedule constant(double lr) {
  return [=](int64_t) { return lr; };
}

Schedule step_decay(double lr, double factor, int64_t every) {
  check_length("step_decay", "every", every);
  return [=](int64_t step) { return lr * std::pow(factor, static_cast<double>(step / every)); };
}

Schedule exponential(double lr, double factor, int64_t every) {
  check_length("exponential", "every", every);
  return [=](int64_t step) {
    return lr * std::pow(factor, static_cast<double>(step) / static_cast<double>(every));
  };
}

Schedule polynomial(double lr, double end, int64_t steps, double power) {
  check_length("polynomial", "steps", steps);
  return [=](int64_t step) { return end + (lr - end) * std::pow(1 - share(step, steps), power); };
}

Schedule cosine(double lr, double end, int64_t steps) {
  check_length("cosine", "steps", steps);
  return [=](int64_t step) { return half_cosine(lr, end, share(step, steps)); };
}

Schedule cosine_restarts(double lr, double end, int64_t period, double multiply) {
  check_length("cosine_restarts", "period", period);
  if (!(multiply >= 1)) fail("[cosine_restarts] multiply must be at least 1, got {}", multiply);
  return [=](int64_t step) {
    double length = static_cast<double>(period), at = static_cast<double>(step);
    if (multiply == 1) return half_cosine(lr, end, std::fmod(at, length) / length);
    while (at >= length) {
      at -= length;
      length *= multiply;
    }
    return half_cosine(lr, end, at / length);
  };
}

Schedule linear_warmup(double start, double lr, int64_t steps) {
  check_length("linear_warmup", "steps", steps);
  return [=](int64_t step) { return start + (lr - start) * share(step, steps); };
}

Schedule join(std::vector<Schedule> schedules, std::vector<int64_t> boundaries) {
  if (schedules.size() != boundaries.size() + 1) {
    fail("[join] got {} schedules and {} boundaries, want one boundary less than schedules",
         schedules.size(), boundaries.size());
  }
  if (!std::is_sorted(boundaries.begin(), boundaries.end())) {
    fail("[join] boundaries must increase, got {}", boundaries);
  }
  return [schedules = std::move(schedules), boundaries = std::move(boundaries)](int64_t step) {
    const auto next = std::upper_bound(boundaries.begin(), boundaries.end(), step);
    const size_t index = static_cast<size_t>(next - boundaries.begin());
    return schedules[index](index == 0 ? step : step - boundaries[index - 1]);
  };
}

std::span<const ScheduleRow> schedule_rows() { return kSchedules; }

Schedule build_schedule(const std::vector<const ScheduleConfig*>& configs,
                        const ScheduleSpan& span) {
  if (configs.empty()) return constant(span.lr);
  std::vector<Schedule> schedules;
  std::vector<int64_t> boundaries;
  int64_t begin = 0;
  for (size_t i = 0; i < configs.size(); ++i) {
    const bool last = i + 1 == configs.size();
    const double epochs = configs[i]->epochs();
    if (!last && epochs == 0) {
      fail("[schedule] only the last schedule may go on to the end; give number {} its epochs",
           i + 1);
    }
    ScheduleSpan part = span;
    part.steps = epochs > 0 ? steps_in(epochs, span) : span.steps - begin;
    if (part.steps < 1) {
      fail("[schedule] the schedules before the last take {} of {} steps", begin, span.steps);
    }
    schedules.push_back(configs[i]->build(part));
    if (!last) boundaries.push_back(begin += part.steps);
  }
  return join(std::move(schedules), std::move(boundaries));
}

}  // namespace mica::optim
