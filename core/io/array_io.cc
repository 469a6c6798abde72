#include "core/io/array_io.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <string_view>

#include "core/io/file.h"
#include "core/io/hdf5.h"
#include "core/io/npy.h"
#include "core/io/npy_header.h"
#include "core/io/safetensors.h"

namespace mica {
namespace {

enum class Format { kNpy, kNpz, kSafetensors, kHdf5 };

// NumPy's name for an array of an archive that was given none.
constexpr const char* kUnnamed = "arr_0";
constexpr const char* kKnown = ".npy, .npz, .safetensors, .h5 or .hdf5";

std::optional<Format> format_of_name(const std::string& path) {
  constexpr std::pair<std::string_view, Format> kSuffixes[] = {
      {".npy", Format::kNpy},
      {".npz", Format::kNpz},
      {".safetensors", Format::kSafetensors},
      {".h5", Format::kHdf5},
      {".hdf5", Format::kHdf5}};
  for (const auto& [suffix, format] : kSuffixes) {
    if (path.ends_with(suffix)) return format;
  }
  return std::nullopt;
}

/// By how the file begins, whatever it is called; else by its name.
Format format_of_file(const std::string& path) {
  std::array<char, 9> start = {};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  const std::string_view text(start.data(), start.size());
  if (text.starts_with("\x93NUMPY")) return Format::kNpy;
  if (text.starts_with("PK")) return Format::kNpz;
  if (text.starts_with("\x89HDF\r\n\x1a\n")) return Format::kHdf5;
  if (text[8] == '{') return Format::kSafetensors;
  if (const auto format = format_of_name(path)) return *format;
  // Reports what keeps it from being opened, if that is the reason.
  static_cast<void>(MappedFile::open(path));
  fail(ErrorKind::kData, "{}: of no known format, wanted {}", path, kKnown);
}

Format format_to_write(const std::string& path) {
  if (const auto format = format_of_name(path)) return *format;
  fail("[save] {}: the name ends in no known format, wanted {}", path, kKnown);
}

}  // namespace

void save_npy(const std::string& path, const Array& array) {
  const std::vector<std::byte> values = array.to_bytes();
  AtomicFile file(path);
  file.write(npy_header({array.shape(), array.dtype()}));
  file.write(values);
  file.commit();
}

Array load_npy(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const StoredTensor stored = parse_npy_header(file->bytes(), path);
  return map_array(stored, file, npy_values(stored, file->bytes(), path));
}

void save_hdf5(const std::string& path, const std::map<std::string, Array>& arrays) {
  Hdf5Writer out;
  for (const auto& [name, array] : arrays) out.write(name, to_host(array));
  out.save(path);
}

std::map<std::string, Array> load_hdf5(const std::string& path) {
  const Hdf5Reader file(path);
  std::map<std::string, Array> arrays;
  for (const std::string& name : file.datasets()) {
    if (file.is_numeric(name)) arrays[name] = to_array(file.read(name));
  }
  return arrays;
}

void save(const std::string& path, const Array& array) {
  if (format_to_write(path) == Format::kNpy) return save_npy(path, array);
  save(path, std::map<std::string, Array>{{kUnnamed, array}});
}

void save(const std::string& path, const std::map<std::string, Array>& arrays) {
  switch (format_to_write(path)) {
    case Format::kNpz: return save_npz(path, arrays);
    case Format::kSafetensors: return save_safetensors(path, arrays);
    case Format::kHdf5: return save_hdf5(path, arrays);
    case Format::kNpy: break;
  }
  if (arrays.size() == 1) return save_npy(path, arrays.begin()->second);
  fail("[save] {}: .npy holds one array, got {}; wanted .npz, .safetensors, .h5 or .hdf5", path,
       arrays.size());
}

std::map<std::string, Array> load_all(const std::string& path) {
  switch (format_of_file(path)) {
    case Format::kNpy: return {{kUnnamed, load_npy(path)}};
    case Format::kNpz: return load_npz(path);
    case Format::kSafetensors: return load_safetensors(path).arrays;
    case Format::kHdf5: return load_hdf5(path);
  }
  return {};
}

Array load(const std::string& path) {
  const std::map<std::string, Array> arrays = load_all(path);
  if (arrays.size() == 1) return arrays.begin()->second;
  std::string names;
  for (const auto& [name, array] : arrays) {
    if (names.size() > 200) {
      names += " ...";
      break;
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  fail(ErrorKind::kData, "{}: holds {} arrays, wanted one (load_all gives them by name): {}", path,
       arrays.size(), names);
}

}  // namespace mica
