// Learning rates as pure functions of the step, which counts updates from 0.
//
//   optim::Schedule lr = optim::join({optim::linear_warmup(0, 0.1, 500),
//                                     optim::cosine(0.1, 0, 10'000)}, {500});
//   optimizer.update(parameters, gradients, lr(optimizer.steps()));
//
// Everything is computed on the host in double from the step alone, so a resumed run continues
// exactly. Past its last step a schedule stays at its last value. Lengths below 1 throw Error.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/settings.h"

namespace mica::optim {

using Schedule = std::function<double(int64_t step)>;

/// The same rate at every step.
Schedule constant(double lr);
/// lr factor^floor(step / every).
Schedule step_decay(double lr, double factor, int64_t every);
/// lr factor^(step / every), continuously.
Schedule exponential(double lr, double factor, int64_t every);
/// end + (lr - end) (1 - step / steps)^power.
Schedule polynomial(double lr, double end, int64_t steps, double power = 1);
/// end + (lr - end) (1 + cos(pi step / steps)) / 2.
Schedule cosine(double lr, double end, int64_t steps);
/// Cosines one after another, each from lr to end; the first takes `period` steps, each next one
/// `multiply` times as many (Loshchilov & Hutter 2017). `multiply` must be at least 1.
Schedule cosine_restarts(double lr, double end, int64_t period, double multiply = 1);
/// From start to lr along a line, lr from `steps` on.
Schedule linear_warmup(double start, double lr, int64_t steps);
/// schedules[i] from boundaries[i - 1] on, each with its own steps from 0. Throws Error unless
/// there is one boundary less than schedules, in increasing order.
Schedule join(std::vector<Schedule> schedules, std::vector<int64_t> boundaries);

/// How long a schedule has, and from where.
struct ScheduleSpan {
  double lr = 0;      // the optimizer's learning rate
  int64_t steps = 1;  // until the schedule's end
  int64_t steps_per_epoch = 1;
};

/// The settings of a schedule in a config. Lengths are in epochs and may be fractions; end values
/// are factors of the optimizer's learning rate.
class ScheduleConfig {
 public:
  virtual ~ScheduleConfig() = default;
  virtual std::vector<Setting> settings() = 0;
  /// Its length in epochs where others follow it; 0 stands for all that is left.
  virtual double epochs() const = 0;
  virtual Schedule build(const ScheduleSpan& span) const = 0;
};
using ScheduleRow = Row<ScheduleConfig>;
/// optim/schedules.def.
std::span<const ScheduleRow> schedule_rows();

/// The schedules one after another over `span`. Throws Error if one that is not the last has no
/// length, or if nothing is left for the last.
Schedule build_schedule(const std::vector<const ScheduleConfig*>& configs,
                        const ScheduleSpan& span);

}  // namespace mica::optim
