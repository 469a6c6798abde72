// `mica config schema` and `mica config print`: what the schema says, and a config along it, as
// text for people.
#include "trainers/config.h"
#include "trainers/schema.h"

namespace mica::trainers {
namespace {

constexpr size_t kCommentColumn = 36;

// "key: value          # comment"
std::string commented(size_t indent, const std::string& text, const std::string& comment) {
  const std::string line = fmt::format("{:{}}{}", "", indent, text);
  if (comment.empty()) return line + "\n";
  return fmt::format("{:<{}}  # {}\n", line, kCommentColumn - 2, comment);
}

std::string meaning(const Setting& setting) {
  std::string text(setting.info.doc);
  if (!setting.info.choices.empty())
    text += fmt::format(" [{}]", setting.info.choices);
  else
    text += fmt::format(" ({})", setting.type_name());
  return text;
}

// Of a value that shows its type itself.
std::string short_meaning(const Setting& setting) {
  return setting.info.choices.empty() ? std::string(setting.info.doc) : meaning(setting);
}

// A line for each; `bullet` is put before the first, "- " for the item of a list.
void describe(const std::vector<Setting>& settings, size_t indent, std::string& text,
              std::string_view bullet = "") {
  for (size_t i = 0; i < settings.size(); ++i) {
    const Setting& setting = settings[i];
    const bool required = !setting.problem().empty();
    const std::string value = to_flow(settings_value({setting}).entries[0].value);
    const std::string left = fmt::format("{:{}}{}: {}", i == 0 ? bullet : "", bullet.size(),
                                         setting.name, required ? "..." : value);
    text += commented(indent, left, meaning(setting) + (required ? ", must be given" : ""));
  }
}

std::string plural(std::string_view what) {
  return fmt::format("{}{}", what, what.ends_with('s') ? "es" : "s");
}

class Describer final : public ConfigVisitor {
 public:
  void begin_section(std::string_view key, std::string_view doc) override {
    text += commented(0, fmt::format("{}:", key), std::string(doc));
    indent_ = 2;
  }
  void end_section() override { indent_ = 0; }
  void settings(const std::vector<Setting>& settings) override {
    describe(settings, indent_, text);
  }
  void one(std::string_view key, std::string_view what, std::string_view doc,
           TypedPlace& place) override {
    const std::string left = key.empty() ? "ONE:" : fmt::format("{}: ONE", key);
    text += commented(indent_, left, fmt::format("{}: one of the {} below", doc, plural(what)));
    describe_types(what, place);
  }
  void several(std::string_view key, std::string_view what, std::string_view doc,
               TypedPlace& place) override {
    text += commented(indent_, fmt::format("{}: []", key),
                      fmt::format("{}, of the {} below", doc, plural(what)));
    describe_types(what, place);
  }
  void model(std::string_view doc) override {
    text += commented(indent_, "model: [...]", fmt::format("{}, and what holds layers:", doc));
    for (const char* form :
         {"{repeat: N or [{name: value}], layers: [...]}", "{name: NAME, layers: [...]}",
          "{residual: [...]}", "{residual: {layers: [...], shortcut: projection}}",
          "{concat: [[...], [...]]}"}) {
      text += commented(0, "", form);
    }
    text += commented(0, "blocks: {}", "{NAME: [...]}: names for lists of layers with $values");
    types_ += "\n# layers\n";
    for (const nn::ModuleRow& row : nn::module_rows()) {
      add_type(row.name, row.doc, row.make()->settings());
    }
  }
  void groups(std::string_view doc) override {
    GroupSettings defaults;
    text += commented(indent_, "groups: []", std::string(doc));
    describe(settings_of(defaults), indent_ + 2, text, "- ");
  }
  std::string finish() {
    return "# What a config may hold, with the defaults.\n" +
           commented(0, "base: ...",
                     "file or list of files whose values hold where this one says nothing") +
           text + types_;
  }

  std::string text;

 private:
  void add_type(std::string_view type, std::string_view doc, const std::vector<Setting>& settings) {
    types_ += commented(0, fmt::format("{}:", type), std::string(doc));
    describe(settings, 2, types_);
  }
  void describe_types(std::string_view what, TypedPlace& place) {
    types_ += fmt::format("\n# {}\n", plural(what));
    place.for_each_type(
        [&](std::string_view type, std::string_view doc, const std::vector<Setting>& settings) {
          add_type(type, doc, settings);
        });
  }

  size_t indent_ = 0;
  std::string types_;
};

class Printer final : public ConfigVisitor {
 public:
  Printer(const RunConfig& config, Comments comments) : config_(config), comments_(comments) {}

  void begin_section(std::string_view key, std::string_view doc) override {
    text +=
        commented(0, fmt::format("{}:", key), comments_ == Comments::kDocs ? std::string(doc) : "");
    prefix_ = fmt::format("{}.", key);
    indent_ = 2;
  }
  void end_section() override {
    prefix_.clear();
    indent_ = 0;
  }
  void settings(const std::vector<Setting>& settings) override {
    write_settings(settings, indent_, prefix_);
  }
  void one(std::string_view key, std::string_view, std::string_view, TypedPlace& place) override {
    size_t indent = indent_;
    std::string prefix = prefix_;
    if (!key.empty()) {
      text += fmt::format("{:{}}{}:\n", "", indent, key);
      indent += 2;
      prefix += fmt::format("{}.", key);
    }
    place.for_each_value(
        [&](std::string_view type, std::string_view doc, const std::vector<Setting>& settings) {
          const std::string path = fmt::format("{}{}", prefix, type);
          const std::string left = fmt::format("{}:{}", type, settings.empty() ? " {}" : "");
          text += commented(indent, left, comment(path, std::string(doc)));
          write_settings(settings, indent + 2, path + ".");
        });
  }
  void several(std::string_view key, std::string_view, std::string_view doc,
               TypedPlace& place) override {
    std::string items;
    size_t number = 0;
    place.for_each_value([&](std::string_view type, std::string_view type_doc,
                             const std::vector<Setting>& settings) {
      const std::string path = fmt::format("{}{}[{}].{}", prefix_, key, number++, type);
      items +=
          commented(indent_ + 2, fmt::format("- {}: {}", type, to_flow(settings_value(settings))),
                    comment(path, std::string(type_doc)));
    });
    list(std::string(key), std::string(doc), items);
  }
  void model(std::string_view doc) override {
    const Value layers = model_value(config_.model);
    std::string items;
    for (size_t i = 0; i < layers.items.size(); ++i) {
      const Value& item = layers.items[i];
      const bool pair = item.is_map() && item.entries.size() == 1;
      const std::string left =
          pair ? fmt::format("{}: {}", item.entries[0].key, to_flow(item.entries[0].value))
               : to_flow(item);
      items += commented(2, fmt::format("- {}", left), layer_comment(i, layers.items.size()));
    }
    list("model", std::string(doc), items);
  }
  void groups(std::string_view doc) override {
    std::string items;
    const Value all = config_.to_value();
    const Value* groups = all.find("optimizer")->find("groups");
    for (size_t i = 0; i < groups->items.size(); ++i) {
      items += commented(indent_ + 2, fmt::format("- {}", to_flow(groups->items[i])),
                         comment(fmt::format("optimizer.groups[{}]", i), ""));
    }
    list("groups", std::string(doc), items);
  }

  std::string text;

 private:
  std::string comment(const std::string& path, const std::string& doc) const {
    if (comments_ == Comments::kDocs) return doc;
    const auto found = config_.origins.find(path);
    return found == config_.origins.end() ? "default" : place(found->second);
  }
  static std::string place(const Location& at) {
    return at.is_override() ? at.source : fmt::format("{}:{}", at.source, at.line);
  }
  std::string layer_comment(size_t index, size_t items) const {
    if (comments_ == Comments::kDocs || config_.model.size() != items) return "";
    const Typed& typed = config_.model[index].typed;
    std::string text = place(typed.at);
    for (const Entry& entry : typed.settings.entries) {
      if (entry.value.at.source == typed.at.source) continue;
      text += fmt::format("; {}: {}", entry.key, place(entry.value.at));
    }
    return text;
  }
  void list(const std::string& key, const std::string& doc, const std::string& items) {
    const std::string path = prefix_ + key;
    text += commented(indent_, fmt::format("{}:{}", key, items.empty() ? " []" : ""),
                      comments_ == Comments::kDocs ? doc
                      : items.empty()              ? comment(path, "")
                                                   : "");
    text += items;
  }
  void write_settings(const std::vector<Setting>& settings, size_t indent,
                      const std::string& prefix) {
    const Value values = settings_value(settings);
    for (size_t i = 0; i < settings.size(); ++i) {
      const std::string path = fmt::format("{}{}", prefix, settings[i].name);
      text += commented(indent,
                        fmt::format("{}: {}", settings[i].name, to_flow(values.entries[i].value)),
                        comment(path, short_meaning(settings[i])));
    }
  }

  const RunConfig& config_;
  Comments comments_;
  size_t indent_ = 0;
  std::string prefix_;
};

}  // namespace

std::string describe_schema() {
  RunConfig defaults;
  defaults.name = "NAME";
  Describer describer;
  visit_config(defaults, describer);
  return describer.finish();
}

std::string print_config(RunConfig& config, Comments comments) {
  Printer printer(config, comments);
  visit_config(config, printer);
  return printer.text;
}

}  // namespace mica::trainers
