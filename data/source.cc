#include "data/source.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/error.h"

namespace mica::data {
namespace {

constexpr Source kSources[] = {
#define SOURCE(name, read, help) {#name, read, help},
#include "data/sources/sources.def"
#undef SOURCE
};

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

}  // namespace

std::span<const Source> sources() { return kSources; }

const Source& find_source(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Source& source : kSources) {
    if (source.name == name) return source;
    names.push_back(source.name);
  }
  fail("unknown source '{}', wanted one of: {}", name, fmt::join(names, ", "));
}

std::vector<std::pair<std::string, std::string>> source_names() {
  std::vector<std::pair<std::string, std::string>> names;
  for (const Source& source : kSources) names.emplace_back(source.name, source.help);
  return names;
}

std::vector<std::string> numbered_names(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("{}", i));
  return names;
}

void sort_names(std::vector<std::string>& names) {
  const bool numbers = std::all_of(names.begin(), names.end(),
                                   [](const std::string& name) { return whole_number(name); });
  std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    if (numbers && *whole_number(a) != *whole_number(b)) {
      return *whole_number(a) < *whole_number(b);
    }
    return a < b;
  });
}

}  // namespace mica::data
