#include "data/folder.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "core/base/error.h"
#include "core/io/file.h"
#include "data/gzip.h"
#include "data/sha256.h"

namespace mica::data {
namespace {

namespace fs = std::filesystem;

// The header of a member, https://www.gnu.org/software/tar/manual/html_node/Standard.html: texts
// that end in a zero byte or fill their field, numbers in octal.
constexpr size_t kBlock = 512;
struct Field {
  size_t begin, size;
};
constexpr Field kName = {0, 100}, kSize = {124, 12}, kSum = {148, 8}, kPrefix = {345, 155};
constexpr size_t kType = 156, kMagic = 257;

std::string_view text_at(std::string_view header, Field field) {
  const std::string_view text = header.substr(field.begin, field.size);
  return text.substr(0, text.find('\0'));
}

/// -1 for what is no octal number.
int64_t octal_at(std::string_view header, Field field) {
  int64_t value = 0;
  bool any = false;
  for (const char c : text_at(header, field)) {
    if (c == ' ') continue;
    if (c < '0' || c > '7' || value > (int64_t{1} << 50)) return -1;
    value = 8 * value + (c - '0');
    any = true;
  }
  return any ? value : -1;
}

/// The sum of the header's bytes, those of the sum itself taken as blanks.
bool has_right_sum(std::string_view header) {
  int64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kSum.begin && i < kSum.begin + kSum.size;
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return sum == octal_at(header, kSum);
}

std::string name_at(std::string_view header) {
  std::string name(text_at(header, kName));
  const bool has_prefix = header.substr(kMagic, 5) == "ustar" && header[kPrefix.begin] != '\0';
  if (has_prefix) name = std::string(text_at(header, kPrefix)) + "/" + name;
  while (name.starts_with("./")) name.erase(0, 2);
  return name;
}

}  // namespace

Folder::Folder(const std::string& path, const std::string& inner) : path_(path) {
  if (!fs::is_directory(path)) {
    archive_ = read_maybe_gzip(path);
    find_in_archive(inner);
    return;
  }
  if (fs::is_directory(path + "/" + inner)) path_ += "/" + inner;
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (entry.is_regular_file()) files_[entry.path().filename().string()] = {};
  }
}

void Folder::find_in_archive(const std::string& inner) {
  const std::string_view all(reinterpret_cast<const char*>(archive_.data()), archive_.size());
  std::map<std::string, Extent> here, inside;
  size_t at = 0;
  while (at + kBlock <= all.size() && all[at] != '\0') {
    const std::string_view header = all.substr(at, kBlock);
    const int64_t size = octal_at(header, kSize);
    if (!has_right_sum(header) || size < 0) {
      fail(ErrorKind::kData, "{}: {}", path_,
           at == 0 ? "is neither a folder nor a tar archive"
                   : fmt::format("damaged tar archive at byte {}", at));
    }
    const std::string name = name_at(header);
    const size_t begin = at + kBlock;
    if (static_cast<size_t>(size) > all.size() - begin) {
      fail(ErrorKind::kData, "{}: cut off in its member {}", path_, name);
    }
    const bool is_file = header[kType] == '0' || header[kType] == '\0';
    const Extent extent = {begin, static_cast<size_t>(size)};
    if (is_file && name.find('/') == name.npos) here[name] = extent;
    if (is_file && fs::path(name).parent_path() == inner) {
      inside[fs::path(name).filename().string()] = extent;
    }
    at = begin + (extent.size + kBlock - 1) / kBlock * kBlock;
  }
  if (at == 0) fail(ErrorKind::kData, "{}: is neither a folder nor a tar archive", path_);
  files_ = inside.empty() ? here : inside;
}

std::vector<std::string> Folder::names() const {
  std::vector<std::string> names;
  for (const auto& [name, extent] : files_) names.push_back(name);
  return names;
}

std::vector<std::byte> Folder::read(const std::string& name) const {
  const auto found = files_.find(name);
  if (found == files_.end()) fail(ErrorKind::kData, "{}: no such file", place_of(name));
  if (archive_.empty()) return read_file(place_of(name));
  const auto begin = archive_.begin() + static_cast<ptrdiff_t>(found->second.begin);
  return {begin, begin + static_cast<ptrdiff_t>(found->second.size)};
}

std::string Folder::sha256(std::vector<std::string> names) const {
  std::sort(names.begin(), names.end());
  Sha256 hash;
  for (const std::string& name : names) {
    Sha256 one;
    one.add(read(name));
    hash.add(fmt::format("{}  {}\n", one.hex(), name));
  }
  return hash.hex();
}

}  // namespace mica::data
