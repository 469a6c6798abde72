// The optimizers known by name, one row each in optimizers.def; schedules are in schedule.h.
//
//   const OptimizerRow* row = find_row(optim::optimizer_rows(), "sgd");   // null: unknown name
//   std::unique_ptr<optim::Rule> rule = row->make();                      // default settings
//   for (Setting& setting : rule->settings()) ...                         // fill in from YAML
//   rule->check();                                                        // throws Error
//   optim::Optimizer optimizer(std::move(rule), groups);
#pragma once

#include "optim/optimizer.h"
#include "optim/rules.h"

namespace mica::optim {

using OptimizerRow = Row<Rule>;
std::span<const OptimizerRow> optimizer_rows();

}  // namespace mica::optim
