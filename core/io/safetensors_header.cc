#include "core/io/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/io/stored_array.h"

namespace mica {
namespace {

constexpr std::pair<Dtype, std::string_view> kNames[] = {
    {Dtype::kBool, "BOOL"},   {Dtype::kUint8, "U8"},      {Dtype::kUint16, "U16"},
    {Dtype::kUint32, "U32"},  {Dtype::kUint64, "U64"},    {Dtype::kInt8, "I8"},
    {Dtype::kInt16, "I16"},   {Dtype::kInt32, "I32"},     {Dtype::kInt64, "I64"},
    {Dtype::kFloat16, "F16"}, {Dtype::kBfloat16, "BF16"}, {Dtype::kFloat32, "F32"},
    {Dtype::kFloat64, "F64"}, {Dtype::kComplex64, "C64"},
};
constexpr size_t kMostAxes = 64;
constexpr size_t kMostShown = 60;  // characters of a damaged name in an error

/// Takes the pieces of the text as the JSON library meets them, and knows at each of them what may
/// follow. Nothing but what the format names is kept, so that no text makes it large.
class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  Reader(SafetensorsHeader& header, const std::string& where) : header_(header), where_(where) {}

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kStart: return go(Place::kTop);
      case Place::kEntry:
        if (name_ == kSafetensorsMetadata) return go(Place::kMetadata);
        header_.entries.emplace_back().name = name_;
        seen_.clear();
        return go(Place::kTensor);
      default: return unexpected("an object");
    }
  }
  bool key(string_t& key) override {
    switch (place_) {
      case Place::kTop:
        if (!names_.insert(key).second) refuse("{} is there twice", shown(key));
        name_ = key;
        return go(Place::kEntry);
      case Place::kMetadata:
        if (!header_.metadata.emplace(key, "").second) {
          refuse("{} is twice in the metadata", shown(key));
        }
        text_ = key;
        return go(Place::kText);
      case Place::kTensor:
        if (!seen_.insert(key).second) refuse("{} has two keys {}", shown(name_), shown(key));
        if (key == "dtype") return go(Place::kDtype);
        if (key == "shape") return go(Place::kShape);
        if (key == "data_offsets") return go(Place::kOffsets);
        refuse("{} has a key {}, wanted dtype, shape and data_offsets", shown(name_), shown(key));
      default: return unexpected("a key");
    }
  }
  bool end_object() override {
    if (place_ == Place::kTensor) {
      for (const char* wanted : {"dtype", "shape", "data_offsets"}) {
        if (!seen_.contains(wanted)) refuse("{} has no {}", shown(name_), wanted);
      }
    }
    return go(place_ == Place::kTop ? Place::kEnd : Place::kTop);
  }
  bool start_array(std::size_t) override {
    if (place_ == Place::kShape) return go(Place::kLengths);
    if (place_ != Place::kOffsets) return unexpected("a list");
    offsets_ = 0;
    return go(Place::kNumbers);
  }
  bool end_array() override {
    if (place_ == Place::kNumbers && offsets_ != 2) {
      refuse("{} has {} data_offsets, wanted 2", shown(name_), offsets_);
    }
    return go(Place::kTensor);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kLengths) {
      Shape& shape = header_.entries.back().spec.shape;
      if (value > INT64_MAX) refuse("{} has an axis of length {}", shown(name_), value);
      if (shape.size() == kMostAxes) refuse("{} has more than 64 axes", shown(name_));
      shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ != Place::kNumbers) return unexpected("a number");
    SafetensorsEntry& entry = header_.entries.back();
    (offsets_ == 0 ? entry.begin : entry.end) = value;
    if (++offsets_ > 2) refuse("{} has more than 2 data_offsets", shown(name_));
    return true;
  }
  bool string(string_t& text) override {
    if (place_ == Place::kText) {
      header_.metadata[text_] = text;
      return go(Place::kMetadata);
    }
    if (place_ != Place::kDtype) return unexpected("a text");
    for (const auto& [dtype, name] : kNames) {
      if (name != text) continue;
      header_.entries.back().spec.dtype = dtype;
      return go(Place::kTensor);
    }
    refuse("{} has the dtype {}, which is not supported", shown(name_), shown(text));
  }
  bool null() override {
    // MLX writes this for no metadata, and the format's own library takes it as that.
    if (place_ == Place::kEntry && name_ == kSafetensorsMetadata) return go(Place::kTop);
    return unexpected("null");
  }
  bool boolean(bool) override { return unexpected("true or false"); }
  bool number_integer(number_integer_t value) override {
    refuse("{} has the negative number {}", shown(name_), value);
  }
  bool number_float(number_float_t, const string_t& text) override {
    refuse("{} has {}, wanted a whole number below 2^64", shown(name_), shown(text));
  }
  bool binary(binary_t&) override { return unexpected("bytes"); }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    refuse("not JSON at byte {}", at);
  }

 private:
  // What comes next.
  enum class Place {
    kStart,
    kTop,
    kEntry,
    kMetadata,
    kText,
    kTensor,
    kDtype,
    kShape,
    kLengths,
    kOffsets,
    kNumbers,
    kEnd
  };

  bool go(Place place) {
    place_ = place;
    return true;
  }
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::kData, "{}: damaged .safetensors header: {}", where_,
         fmt::format(format, std::forward<Args>(args)...));
  }
  bool unexpected(const char* what) const {
    if (place_ == Place::kStart) refuse("{} instead of an object", what);
    refuse("{} where it does not belong, in {}", what, shown(name_));
  }
  static std::string shown(const std::string& name) {
    return fmt::format("\"{}{}\"", name.substr(0, kMostShown),
                       name.size() > kMostShown ? "..." : "");
  }

  SafetensorsHeader& header_;
  const std::string& where_;
  Place place_ = Place::kStart;
  std::string name_, text_;
  std::set<std::string> names_, seen_;
  int offsets_ = 0;
};

void check_places(const SafetensorsHeader& header, uint64_t value_bytes, const std::string& where) {
  uint64_t at = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    const std::string name = where + ": " + entry.name.substr(0, kMostShown);
    if (entry.begin > entry.end || entry.end > value_bytes) {
      fail(ErrorKind::kData, "{}: data_offsets [{}, {}] in {} bytes of values", name, entry.begin,
           entry.end, value_bytes);
    }
    if (entry.begin != at) {
      fail(ErrorKind::kData, "{}: begins at byte {}, which {} what lies before it and ends at {}",
           name, entry.begin, entry.begin < at ? "overlaps" : "leaves a hole after", at);
    }
    const std::optional<size_t> wanted = byte_count(entry.spec.shape, entry.spec.dtype);
    if (!wanted || *wanted != entry.end - entry.begin) {
      fail(ErrorKind::kData, "{}: {} bytes, wanted {} for {} of shape {}", name,
           entry.end - entry.begin, wanted ? fmt::format("{}", *wanted) : "more than any file has",
           entry.spec.dtype, to_string(entry.spec.shape));
    }
    at = entry.end;
  }
  if (at != value_bytes) {
    fail(ErrorKind::kData, "{}: {} bytes follow the last tensor, wanted none", where,
         value_bytes - at);
  }
}

}  // namespace

std::string_view safetensors_name(Dtype dtype) {
  const auto found =
      std::ranges::find(kNames, dtype, [](const auto& known) { return known.first; });
  if (found == std::end(kNames)) fail("[save_safetensors] the format has no {}", dtype);
  return found->second;
}

SafetensorsHeader parse_safetensors_header(std::string_view text, uint64_t value_bytes,
                                           const std::string& where) {
  if (!text.starts_with('{')) {
    fail(ErrorKind::kData, "{}: is no .safetensors file: its header does not begin with {{", where);
  }
  SafetensorsHeader header;
  Reader reader(header, where);
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  std::ranges::stable_sort(header.entries, {}, [](const SafetensorsEntry& entry) {
    return std::pair(entry.begin, entry.end);
  });
  check_places(header, value_bytes, where);
  return header;
}

}  // namespace mica
