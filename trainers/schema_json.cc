// `mica config schema --json`: the schema in the form that editors check and complete YAML by.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "trainers/config.h"
#include "trainers/schema.h"

namespace mica::trainers {
namespace {

using Json = nlohmann::ordered_json;

Json number(const char* type, const FieldInfo& info) {
  Json json = {{"type", type}};
  if (std::isfinite(info.min)) json["minimum"] = info.min;
  if (std::isfinite(info.max)) json["maximum"] = info.max;
  return json;
}

Json list_of(Json item) { return {{"type", "array"}, {"items", std::move(item)}}; }

Json pair_of(const Json& item) {
  Json json = list_of(item);
  json["minItems"] = json["maxItems"] = 2;
  return {{"anyOf", {item, json}}};
}

// The type of a setting's value, and the value itself as the default.
struct ToJson {
  const FieldInfo& info;

  std::pair<Json, Json> operator()(const bool* value) const {
    return {{{"type", "boolean"}}, *value};
  }
  std::pair<Json, Json> operator()(const int64_t* value) const {
    return {number("integer", info), *value};
  }
  std::pair<Json, Json> operator()(const double* value) const {
    return {number("number", info), *value};
  }
  std::pair<Json, Json> operator()(const std::string* value) const {
    if (!info.choices.empty()) return {{{"enum", choices_of(info)}}, *value};
    // A version, a path or a name may look like a number.
    return {{{"type", {"string", "number"}}}, *value};
  }
  std::pair<Json, Json> operator()(const Pair* value) const {
    return {pair_of(number("integer", info)), *value};
  }
  std::pair<Json, Json> operator()(const NumberPair* value) const {
    return {pair_of(number("number", info)), *value};
  }
  std::pair<Json, Json> operator()(const std::vector<int64_t>* value) const {
    return {list_of(number("integer", info)), *value};
  }
  std::pair<Json, Json> operator()(const std::vector<double>* value) const {
    return {list_of(number("number", info)), *value};
  }
};

// "$channels" may stand for any value inside of a repeat block.
Json substitution() { return {{"type", "string"}, {"pattern", "^\\$[A-Za-z_][A-Za-z0-9_]*$"}}; }

bool is_required(const Setting& setting) { return !setting.problem().empty(); }

Json setting_schema(const Setting& setting, bool in_model) {
  auto [type, value] = std::visit(ToJson{setting.info}, setting.value);
  Json json = in_model ? Json{{"anyOf", {type, substitution()}}} : type;
  if (!setting.info.doc.empty()) json["description"] = setting.info.doc;
  if (!is_required(setting)) json["default"] = value;
  return json;
}

Json closed_object() { return {{"type", "object"}, {"additionalProperties", false}}; }

// Adds the settings to an object's properties.
void add_settings(Json& object, const std::vector<Setting>& settings, bool in_model = false) {
  for (const Setting& setting : settings) {
    object["properties"][std::string(setting.name)] = setting_schema(setting, in_model);
    if (is_required(setting)) object["required"].push_back(setting.name);
  }
}

// What may stand behind a type's name: nothing, its first setting, or all of them.
Json type_schema(std::string_view doc, const std::vector<Setting>& settings, bool in_model) {
  Json object = closed_object();
  add_settings(object, settings, in_model);
  Json forms = {object};
  if (!settings.empty()) forms.push_back(setting_schema(settings[0], in_model));
  if (!object.contains("required")) forms.push_back({{"type", "null"}});
  return {{"description", doc}, {"anyOf", forms}};
}

// `name`, or {name: settings}.
class Types {
 public:
  explicit Types(bool in_model = false) : in_model_(in_model) {}
  void add(std::string_view type, std::string_view doc, const std::vector<Setting>& settings) {
    properties[std::string(type)] = type_schema(doc, settings, in_model_);
    if (std::none_of(settings.begin(), settings.end(), is_required)) plain.emplace_back(type);
  }
  Json schema() const {
    Json object = closed_object();
    object["minProperties"] = object["maxProperties"] = 1;
    object["properties"] = properties;
    return {{"anyOf", {Json{{"enum", plain}}, object}}};
  }

  Json properties = Json::object();
  std::vector<std::string> plain;  // those that may stand alone

 private:
  bool in_model_;
};

Types types_of(TypedPlace& place) {
  Types types;
  place.for_each_type(
      [&](std::string_view type, std::string_view doc, const std::vector<Setting>& settings) {
        types.add(type, doc, settings);
      });
  return types;
}

class JsonWriter final : public ConfigVisitor {
 public:
  JsonWriter() { open_.push_back({"", closed_object()}); }

  void begin_section(std::string_view key, std::string_view doc) override {
    Json section = closed_object();
    section["description"] = doc;
    open_.push_back({std::string(key), std::move(section)});
  }
  void end_section() override {
    auto [key, section] = std::move(open_.back());
    open_.pop_back();
    if (plain_.empty()) {
      properties()[key] = std::move(section);
      return;
    }
    const Json names = {{"enum", plain_}};
    properties()[key] = {{"anyOf", {names, section}}};
    plain_.clear();
  }
  void settings(const std::vector<Setting>& settings) override {
    add_settings(open_.back().second, settings);
  }
  void one(std::string_view key, std::string_view, std::string_view doc,
           TypedPlace& place) override {
    const Types types = types_of(place);
    if (!key.empty()) {
      properties()[std::string(key)] = described(types.schema(), doc);
      return;
    }
    for (const auto& [type, schema] : types.properties.items()) properties()[type] = schema;
    plain_ = types.plain;
  }
  void several(std::string_view key, std::string_view, std::string_view doc,
               TypedPlace& place) override {
    const Json item = types_of(place).schema();
    properties()[std::string(key)] = described({{"anyOf", {item, list_of(item)}}}, doc);
  }
  void model(std::string_view doc) override {
    definitions_["layer"] = layer_schema("layer", false);
    definitions_["layer_or_block"] = layer_schema("layer_or_block", true);
    properties()["model"] = {{"description", doc}, {"type", "array"}};
    properties()["blocks"] = {
        {"description", "names for lists of layers with values ($name) of their own"},
        {"type", "object"},
        {"additionalProperties", {{"anyOf", {layers("layer_or_block"), block_schema()}}}}};
  }
  void groups(std::string_view doc) override {
    GroupSettings defaults;
    Json item = closed_object();
    add_settings(item, settings_of(defaults));
    properties()["groups"] = described(list_of(item), doc);
  }

  Json finish() {
    Json json = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "A training run of Mica"}};
    json.update(open_.back().second);
    Json& known = json["properties"];
    known["base"] = {{"description", "files whose values hold where this one says nothing"},
                     {"anyOf", {Json{{"type", "string"}}, list_of({{"type", "string"}})}}};
    json["anyOf"] = {Json{{"required", {"base"}}},
                     Json{{"required", {"model", "loss", "optimizer"}}}};
    // Where there are blocks, any word may be a layer.
    json["if"] = {{"required", {"blocks"}}};
    json["then"]["properties"]["model"] = layers("layer_or_block");
    json["else"]["properties"]["model"] = layers("layer");
    json["$defs"] = definitions_;
    return json;
  }

 private:
  static Json layers(const std::string& item) { return list_of({{"$ref", "#/$defs/" + item}}); }
  static Json block_schema() {
    Json block = closed_object();
    block["required"] = {"layers"};
    block["properties"] = {{"layers", layers("layer_or_block")},
                           {"defaults", {{"type", "object"}}}};
    return block;
  }
  // One item of a list of layers: a layer or several, as trainers/model.h has them.
  static Json layer_schema(const std::string& item, bool with_blocks) {
    Types types(true);
    for (const nn::ModuleRow& row : nn::module_rows()) {
      types.add(row.name, row.doc, row.make()->settings());
    }
    Json residual = closed_object();
    residual["required"] = {"layers"};
    residual["properties"] = {
        {"layers", layers(item)},
        {"shortcut",
         {{"anyOf", {Json{{"enum", {"identity", "projection"}}}, substitution(), layers(item)}}}}};
    Json one = closed_object();
    one["properties"] = types.properties;
    one["properties"]["name"] = {{"description", "its parameters are called by it"},
                                 {"type", "string"}};
    one["properties"]["layers"] = layers(item);
    one["properties"]["residual"] = {{"description", "x + layers(x)"},
                                     {"anyOf", {layers(item), residual}}};
    one["properties"]["concat"] = {{"description", "branches side by side, joined by channels"},
                                   {"type", "array"},
                                   {"items", layers(item)}};
    one["properties"]["repeat"] = {
        {"description", "how often, or a list of values for the names used in the layers"},
        {"anyOf", {Json{{"type", "integer"}}, substitution(), list_of({{"type", "object"}})}}};
    one["minProperties"] = 1;
    one["maxProperties"] = 2;  // of which one is name, or they are repeat and layers
    if (with_blocks) one["additionalProperties"] = {{"type", {"object", "null"}}};
    Json forms = {Json{{"enum", types.plain}}, one};
    if (with_blocks) forms.push_back({{"type", "string"}});
    return {{"anyOf", forms}};
  }
  static Json described(Json json, std::string_view doc) {
    json["description"] = doc;
    return json;
  }
  Json& properties() { return open_.back().second["properties"]; }

  std::vector<std::pair<std::string, Json>> open_;
  Json definitions_ = Json::object();
  std::vector<std::string> plain_;  // of the types that are keys of the open section
};

}  // namespace

std::string json_schema() {
  RunConfig defaults;
  JsonWriter writer;
  visit_config(defaults, writer);
  return writer.finish().dump(2) + "\n";
}

}  // namespace mica::trainers
