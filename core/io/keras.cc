#include "core/io/keras.h"

#include <stdlib.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/io/hdf5.h"
#include "core/io/zip.h"
#include "core/runtime/mapped_file.h"

namespace mica {
namespace {
namespace fs = std::filesystem;

using NamedArrays = std::map<std::string, Array>;

constexpr std::string_view kMember = "model.weights.h5";
constexpr std::string_view kLayers = "layers/";
// What the first versions of Keras 3 called the group.
constexpr std::string_view kOldLayers = "_layer_checkpoint_dependencies/";

std::string start_of(const std::string& path) {
  std::string start(8, '\0');
  std::ifstream(path, std::ios::binary).read(start.data(), static_cast<std::streamsize>(8));
  return start;
}
bool is_hdf5(const std::string& path) { return start_of(path) == "\x89HDF\r\n\x1a\n"; }
bool is_zip(const std::string& path) { return start_of(path).starts_with("PK"); }

const ZipMember* weights_member(const std::vector<ZipMember>& members) {
  for (const ZipMember& member : members) {
    if (member.name == kMember) return &member;
  }
  return nullptr;
}

// A file for what HDF5 can only read from a file, gone afterwards.
class Unpacked {
 public:
  explicit Unpacked(const std::string& archive) {
    const std::shared_ptr<const MappedFile> file = MappedFile::open(archive);
    const std::vector<ZipMember> members = list_zip(file->bytes(), archive);
    const ZipMember* member = weights_member(members);
    if (!member) fail(ErrorKind::kData, "{}: no {} in it, is no file of Keras", archive, kMember);
    std::vector<std::byte> bytes(member->size);
    unzip(*member, bytes, archive + ": " + member->name);
    check_mapped_files();
    path_ = (fs::temp_directory_path() / "mica-keras-XXXXXX").string();
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0) fail(ErrorKind::kData, "{}: cannot be created", path_);
    close(descriptor);
    write_file(path_, bytes);
  }
  ~Unpacked() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// "Conv2DTranspose" -> "conv2d_transpose", as Keras does it.
std::string snake_case(const std::string& name) {
  std::string text;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool upper = std::isupper(static_cast<unsigned char>(name[i]));
    const bool word =
        i > 0 && i + 1 < name.size() && std::islower(static_cast<unsigned char>(name[i + 1]));
    const bool after = i > 0 && std::islower(static_cast<unsigned char>(name[i - 1]));
    if (upper && (word || after)) text += '_';
    text += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return text;
}

// A list of names that is cut up where it outgrows an attribute: name, or name0, name1, ...
std::vector<std::string> names_of(const Hdf5Reader& in, const std::string& group,
                                  const std::string& name) {
  if (in.has_attribute(group, name)) return in.attribute_texts(group, name);
  std::vector<std::string> all;
  for (int i = 0; in.has_attribute(group, fmt::format("{}{}", name, i)); ++i) {
    for (std::string& text : in.attribute_texts(group, fmt::format("{}{}", name, i))) {
      all.push_back(std::move(text));
    }
  }
  return all;
}

// The type of each layer by its name, as far as the file says it.
std::map<std::string, std::string> layer_types(const Hdf5Reader& in) {
  std::map<std::string, std::string> types;
  if (!in.has_attribute("/", "model_config")) return types;
  const nlohmann::json model =
      nlohmann::json::parse(in.attribute_text("/", "model_config"), nullptr, false);
  try {
    // In versions before 2.2 the config of a Sequential is the list of its layers.
    const nlohmann::json& config = model.at("config");
    for (const nlohmann::json& layer : config.is_array() ? config : config.at("layers")) {
      const std::string name = layer.at("config").at("name");
      types[name] = snake_case(layer.at("class_name"));
    }
  } catch (const nlohmann::json::exception&) {
    // The names of the layers say it, unless they were chosen.
  }
  return types;
}

// "dense_12" -> "dense"
std::string without_number(const std::string& name) {
  const size_t end = name.find_last_not_of("0123456789");
  const bool numbered = end != std::string::npos && end + 1 < name.size() && name[end] == '_';
  return numbered ? name.substr(0, end) : name;
}

Array read_numbers(const Hdf5Reader& in, const std::string& path, const std::string& name) {
  if (!in.is_dataset(name)) fail(ErrorKind::kData, "{}: no dataset {}", path, name);
  if (!in.is_numeric(name)) {
    fail(ErrorKind::kData, "{}: {} is of a type that is not read (bfloat16, for example)", path,
         name);
  }
  return to_array(in.read(name));
}

// Files of Keras 2, and of Keras 3 by the name .h5: a group for each layer, which lists its
// weights.
NamedArrays read_old(const Hdf5Reader& in, const std::string& path, const std::string& group) {
  const std::map<std::string, std::string> types = layer_types(in);
  std::map<std::string, int> counts;
  NamedArrays arrays;
  for (const std::string& layer : names_of(in, group, "layer_names")) {
    const std::string inside = (group == "/" ? "/" : group + "/") + layer;
    if (!in.is_group(inside) || in.list(inside).empty()) continue;
    const auto known = types.find(layer);
    const std::string type = known == types.end() ? without_number(layer) : known->second;
    const int number = counts[type]++;
    const std::string name = number == 0 ? type : fmt::format("{}_{}", type, number);
    int index = 0;
    for (const std::string& weight : names_of(in, inside, "weight_names")) {
      arrays[fmt::format("{}{}/vars/{}", kLayers, name, index++)] =
          read_numbers(in, path, inside + "/" + weight);
    }
  }
  return arrays;
}

// Files of Keras 3: "layers/dense/vars/0".
NamedArrays read_new(const Hdf5Reader& in, const std::string& path) {
  NamedArrays arrays;
  for (const std::string& dataset : in.datasets()) {
    std::string name = dataset;
    if (name.starts_with(kOldLayers)) name = std::string(kLayers) + name.substr(kOldLayers.size());
    if (!name.starts_with(kLayers) || name.find("seed_generator") != std::string::npos) continue;
    arrays[name] = read_numbers(in, path, dataset);
  }
  return arrays;
}

bool has_layers(const Hdf5Reader& in) {
  return in.is_group("/layers") || in.is_group("/_layer_checkpoint_dependencies");
}

// Where the layers of an old file are listed; empty for other files.
std::string old_group(const Hdf5Reader& in) {
  for (const std::string group : {"/model_weights", "/"}) {
    const bool there = group == "/" || in.is_group(group);
    if (!there) continue;
    if (in.has_attribute(group, "layer_names") || in.has_attribute(group, "layer_names0")) {
      return group;
    }
  }
  return "";
}

NamedArrays read_hdf5(const std::string& file, const std::string& path) {
  const Hdf5Reader in(file);
  const std::string old = old_group(in);
  if (!old.empty()) return read_old(in, path, old);
  if (has_layers(in)) return read_new(in, path);
  fail(ErrorKind::kData, "{}: holds no weights as Keras saves them", path);
}

}  // namespace

std::map<std::string, Array> load_keras(const std::string& path) {
  NamedArrays arrays;
  if (is_zip(path)) {
    const Unpacked unpacked(path);
    try {
      arrays = read_hdf5(unpacked.path(), path);
    } catch (const Error& error) {  // that of a file nobody knows
      std::string text = error.what();
      if (const size_t at = text.find(unpacked.path()); at != std::string::npos) {
        text.replace(at, unpacked.path().size(), fmt::format("{}: {}", path, kMember));
      }
      throw Error(error.kind(), text);
    }
  } else {
    arrays = read_hdf5(path, path);
  }
  if (arrays.empty()) fail(ErrorKind::kData, "{}: no weights in it", path);
  return arrays;
}

bool is_keras(const std::string& path) {
  if (is_zip(path)) {
    const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
    const std::vector<ZipMember> members = list_zip(file->bytes(), path);
    return weights_member(members) != nullptr;
  }
  if (!is_hdf5(path)) return false;
  const Hdf5Reader in(path);
  return !old_group(in).empty() || has_layers(in);
}

}  // namespace mica
