// Changes to a config before it is read: --set, --set-file and what a `base:` file gives.
//
//   apply_override(config, "optimizer.sgd.lr=0.1", 1, errors);        // location "--set #1"
//   apply_override(config, "model.conv2d[1].out=8", 2, errors);       // the second conv2d
//   apply_override(config, "model[3].linear.out=10", 3, errors);      // the fourth item
//   apply_override(config, "+optimizer.schedule=cosine", 4, errors);  // one more item of a list
//   apply_override(config, "~optimizer.groups", 5, errors);           // back to the default
//   merge_over(base, config);
//
// A list item goes by its position from 0, or by the name of its type (or its own `name`), which
// finds it in blocks too; where several have the name, [n] says which.
#pragma once

#include <string>
#include <vector>

#include "trainers/value.h"

namespace mica::trainers {

/// Applies "key.path=value", "+key.path=value" or "~key.path". The value is YAML, split off at the
/// first '='. Missing sections on the way are made. `number` counts the overrides from 1.
void apply_override(Value& config, const std::string& assignment, int number, Diagnostics& errors);

/// Puts `over` on top of `value`. Sections merge key by key; lists and plain values replace; a
/// loss, optimizer or schedule of another type replaces, one of the same type merges its settings;
/// a key with nothing behind it ("groups:") takes the key away.
void merge_over(Value& value, const Value& over, const std::string& path = "");

/// The names of which a section holds only one, for "loss", "optimizer" and "optimizer.schedule";
/// none for others.
std::vector<std::string> rival_names(const std::string& path);

/// "sgd" as {sgd: }, which merges with {sgd: {lr: 0.1}}; what is no scalar as it is.
Value as_choice(const Value& value);

}  // namespace mica::trainers
