#include "trainers/checks.h"

#include <fnmatch.h>

#include "core/base/error.h"
#include "trainers/setup.h"

namespace mica::trainers {
namespace {

bool is_classification(const data::Dataset& dataset) {
  return dataset.info().task == data::Task::kClassification;
}

int64_t updates_per_epoch(const RunConfig& config, const data::Dataset& dataset) {
  const data::LoaderOptions options = training_loader_options(config, {});
  const int64_t batches = std::max<int64_t>(options.batches_of(dataset.rows("train")), 1);
  return config.train.updates_in(config.train.batches_of(batches));
}

// What is wrong with train.monitor for this data; or nothing.
std::string monitor_problem(const RunConfig& config, const data::Dataset& dataset) {
  const std::string& monitor = config.train.monitor;
  if (monitor.starts_with("val.") && !dataset.has("val")) {
    return "needs a validation split, which this data does not have (prepare it with --split "
           "val=0.1, or set train.monitor to train.loss)";
  }
  const bool classes = is_classification(dataset);
  if (monitor == "val.accuracy" && !classes) {
    return "is for classification, but the data is for regression";
  }
  if (monitor == "val.r2" && classes) {
    return "is for regression, but the data is for classification";
  }
  return "";
}

bool matches(const optim::Group& group, const std::string& name) {
  return fnmatch(group.pattern.c_str(), name.c_str(), 0) == 0;
}

// "0.weight, 0.bias, 3.weight, ... (6 in all)"
std::string some_names(const std::vector<std::string>& names) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", names[i]);
  }
  return names.size() > kShown ? fmt::format("{}, ... ({} in all)", text, names.size()) : text;
}

std::vector<std::string> parameter_names(nn::Module& network) {
  std::vector<std::string> names;
  for (const auto& [name, array] : network.named_parameters()) names.push_back(name);
  return names;
}

void check_groups(const RunConfig& config, nn::Module& network, Diagnostics& errors) {
  const std::vector<std::string> names = parameter_names(network);
  const std::vector<optim::Group>& groups = config.optimizer.groups;
  for (size_t i = 0; i < groups.size(); ++i) {
    const bool used = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return matches(groups[i], name);
    });
    if (used) continue;
    errors.add(config.origin(fmt::format("optimizer.groups[{}]", i)),
               fmt::format("'{}' matches no parameter; there are: {}", groups[i].pattern,
                           some_names(names)));
  }
}

void check_schedule(const RunConfig& config, const data::Dataset& dataset, Diagnostics& errors) {
  std::vector<const optim::ScheduleConfig*> schedules;
  double before_last = 0;
  for (const auto& schedule : config.optimizer.schedules) {
    if (!schedules.empty()) before_last += schedules.back()->epochs();
    schedules.push_back(schedule.get());
  }
  const auto epochs = static_cast<double>(config.train.epochs);
  if (schedules.size() > 1 && before_last >= epochs) {
    errors.add(config.origin("optimizer.schedule"),
               fmt::format("the schedules before the last take {:g} epochs, but the run has {}; "
                           "shorten them or raise train.epochs",
                           before_last, config.train.epochs));
    return;
  }
  const int64_t steps = updates_per_epoch(config, dataset);
  try {
    optim::build_schedule(schedules,
                          {config.optimizer.rule->lr(), steps * config.train.epochs, steps});
  } catch (const Error& error) {
    errors.add(config.origin("optimizer.schedule"), error.what());
  }
}

class Warnings {
 public:
  explicit Warnings(const RunConfig& config) : config_(config) {}
  template <class... Args>
  void add(const std::string& path, fmt::format_string<Args...> format, Args&&... args) {
    lines.push_back(fmt::format("{}: warning: {}", config_.origin(path).text(),
                                fmt::format(format, std::forward<Args>(args)...)));
  }
  std::vector<std::string> lines;

 private:
  const RunConfig& config_;
};

void warn_of_schedules(const RunConfig& config, Warnings& warnings) {
  const OptimizerConfig& optimizer = config.optimizer;
  for (size_t i = 0; i < optimizer.schedules.size(); ++i) {
    const std::string path =
        fmt::format("optimizer.schedule[{}].{}", i, optimizer.schedule_types[i]);
    for (const Setting& setting : optimizer.schedules[i]->settings()) {
      const bool length = setting.name == "every" || setting.name == "epochs";
      const double* value = length ? std::get<double*>(setting.value) : nullptr;
      if (!value || *value < static_cast<double>(config.train.epochs)) continue;
      if (setting.name == "epochs" && *value == static_cast<double>(config.train.epochs)) continue;
      warnings.add(fmt::format("{}.{}", path, setting.name),
                   "'{}.{}' is {:g} epochs, but the run has {}: it is never reached",
                   optimizer.schedule_types[i], setting.name, *value, config.train.epochs);
    }
  }
}

void warn_of_groups(const RunConfig& config, nn::Module& network, Warnings& warnings) {
  const std::vector<optim::Group>& groups = config.optimizer.groups;
  std::vector<bool> used(groups.size());
  for (const std::string& name : parameter_names(network)) {
    for (size_t i = 0; i < groups.size(); ++i) {
      if (!matches(groups[i], name)) continue;
      used[i] = true;
      break;
    }
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    if (used[i]) continue;
    warnings.add(fmt::format("optimizer.groups[{}]", i),
                 "every parameter that '{}' matches belongs to a group before it",
                 groups[i].pattern);
  }
}

}  // namespace

std::string choose_monitor(const RunConfig& config, const data::Dataset& dataset) {
  const std::string& monitor = config.train.monitor;
  if (monitor == "auto") {
    if (!dataset.has("val")) return "train.loss";
    return is_classification(dataset) ? "val.accuracy" : "val.loss";
  }
  const std::string problem = monitor_problem(config, dataset);
  if (problem.empty()) return monitor;
  fail("{}: error: monitor '{}' {}", config.monitor_at.text(), monitor, problem);
}

bool larger_is_better(const std::string& metric) { return !metric.ends_with("loss"); }

void check_run(const RunConfig& config, const data::Dataset& dataset, nn::Module& network) {
  Diagnostics errors;
  if (!dataset.has("train")) {
    errors.add(config.data_at, "the data has no training split");
    errors.throw_if_any();
  }
  const std::string monitor = monitor_problem(config, dataset);
  if (!monitor.empty()) {
    errors.add(config.monitor_at, fmt::format("monitor '{}' {}", config.train.monitor, monitor));
  }
  check_groups(config, network, errors);
  check_schedule(config, dataset, errors);
  errors.throw_if_any();
}

std::vector<std::string> run_warnings(const RunConfig& config, const data::Dataset& dataset,
                                      nn::Module& network) {
  Warnings warnings(config);
  const int64_t rows = dataset.rows("train");
  if (config.data.batch_size > rows) {
    warnings.add("data.batch_size",
                 "'data.batch_size' is {}, but there are {} examples to train on",
                 config.data.batch_size, rows);
  }
  if (config.train.patience > 0 &&
      config.train.patience * config.train.report_every >= config.train.epochs) {
    warnings.add("train.patience", "'train.patience' never stops a run of {} epochs",
                 config.train.epochs);
  }
  if (config.train.report_every > config.train.epochs) {
    warnings.add("train.report_every", "'train.report_every' is more than the run's {} epochs",
                 config.train.epochs);
  }
  warn_of_schedules(config, warnings);
  warn_of_groups(config, network, warnings);
  return warnings.lines;
}

}  // namespace mica::trainers
