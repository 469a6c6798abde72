// What a config may hold, said once, in visit_config (schema.cc), and walked by everything that
// needs to know: the reader, its errors, the effective config, `mica config print` and `schema`,
// the JSON Schema of editors.
//
//   class Counter : public ConfigVisitor { ... };
//   RunConfig config;
//   Counter counter;
//   visit_config(config, counter);
//
// A key of a section is a member of its struct, in FIELDS and kFieldInfo; a type is a row of its
// table. Neither needs a line here; a new section, or a new place for types, does.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/settings.h"
#include "trainers/value.h"

namespace mica::trainers {

struct RunConfig;

/// A place that holds an object of one of several types, or a list of such: a loss, schedules.
class TypedPlace {
 public:
  using Each = std::function<void(std::string_view type, std::string_view doc,
                                  const std::vector<Setting>& settings)>;
  virtual ~TypedPlace() = default;
  /// Every type that may stand there, with its default settings.
  virtual void for_each_type(const Each& each) const = 0;
  /// What stands there.
  virtual void for_each_value(const Each& each) = 0;
  /// Puts an object of that type there, or at the end of the list, and gives its settings; nothing
  /// for a name that is no type.
  virtual std::optional<std::vector<Setting>> add(std::string_view type) = 0;
  /// What is wrong with the object that was added last, once its settings are read; or nothing.
  virtual std::string problem() const { return ""; }
  std::vector<std::string> names() const;
};

class ConfigVisitor {
 public:
  virtual ~ConfigVisitor() = default;
  virtual void begin_section(std::string_view key, std::string_view doc) = 0;
  virtual void end_section() = 0;
  /// Keys of the section that is open.
  virtual void settings(const std::vector<Setting>& settings) = 0;
  /// One object. An empty key: the type itself is a key of the open section ("optimizer: {sgd: ...}
  /// "). `what` names it in messages.
  virtual void one(std::string_view key, std::string_view what, std::string_view doc,
                   TypedPlace& place) = 0;
  /// A list of objects, where one may stand without brackets.
  virtual void several(std::string_view key, std::string_view what, std::string_view doc,
                       TypedPlace& place) = 0;
  /// The keys whose form is their own: `model` and `optimizer.groups`.
  virtual void model(std::string_view doc) = 0;
  virtual void groups(std::string_view doc) = 0;
};

/// Calls the visitor for every place of a config, in the order in which it is written.
void visit_config(RunConfig& config, ConfigVisitor& visitor);

/// The settings of one item of optimizer.groups; `weight_decay` stands for the optional one.
struct GroupSettings {
  std::string match = "*";
  double lr_factor = 1;
  double weight_decay = 0;
  FIELDS(GroupSettings, match, lr_factor, weight_decay)
  static constexpr FieldInfo kFieldInfo[] = {
      {"pattern of parameter names, as in \"*.bias\""},
      {"times the learning rate", 0},
      {"in place of the optimizer's own (which holds where this is not given)", 0}};
};

/// Every key with its type, default and meaning, as text for people.
std::string describe_schema();
/// The same as a JSON Schema (draft 2020-12), for editors that complete and check YAML by one.
std::string json_schema();

/// What stands behind each key: its meaning, or the place that it was read from: "mnist.yaml:14",
/// "--set #1", "default".
enum class Comments { kDocs, kOrigins };
/// The effective config, a key a line. Reads back to the same config.
std::string print_config(RunConfig& config, Comments comments);

}  // namespace mica::trainers
