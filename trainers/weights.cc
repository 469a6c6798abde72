#include "trainers/weights.h"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/io/array_io.h"
#include "core/io/keras.h"
#include "core/io/safetensors.h"
#include "core/ops/create.h"
#include "trainers/diagnostics.h"

namespace mica::trainers {
namespace {

using nn::ForeignWeight;
using nn::Framework;
using NamedArrays = std::map<std::string, Array>;

// PyTorch counts the batches that a BatchNorm has seen; nothing reads it unless momentum is None.
constexpr const char* kBatchCount = "num_batches_tracked";
constexpr size_t kMostLines = 12;  // of a kind, in an error

bool matches(const std::vector<std::string>& globs, const std::string& name) {
  for (const std::string& glob : globs) {
    if (fnmatch(glob.c_str(), name.c_str(), 0) == 0) return true;
  }
  return false;
}

// The weights with their names there; throws for a rule that fits none.
std::vector<ForeignWeight> named_weights(nn::Module& network, const Shape& example,
                                         const WeightNames& names) {
  std::vector<ForeignWeight> weights = nn::foreign_weights(network, example, names.layout);
  std::vector<bool> used(names.rules.size(), false);
  std::vector<std::string> ours;
  for (ForeignWeight& weight : weights) {
    ours.push_back(weight.name);
    for (size_t i = 0; i < names.rules.size(); ++i) {
      std::smatch match;
      if (!std::regex_match(weight.name, match, names.rules[i].pattern)) continue;
      weight.foreign_name = match.format(names.rules[i].replacement);
      used[i] = true;
      break;
    }
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    fail("{}: '{}' fits no name of the model that is still free{}", names.source,
         names.rules[i].text, suggestion(names.rules[i].text, ours));
  }
  return weights;
}

struct WeightsFile {
  NamedArrays arrays;
  std::optional<Framework> framework;
};

std::optional<Framework> framework_of(const std::map<std::string, std::string>& metadata) {
  const auto format = metadata.find("format");
  if (format == metadata.end()) return std::nullopt;
  if (format->second == "pt") return Framework::kTorch;
  for (const Framework each : {Framework::kMica, Framework::kMlx, Framework::kKeras}) {
    if (nn::name_of(each) == format->second) return each;
  }
  return std::nullopt;
}

WeightsFile read_file(const std::string& path) {
  for (const char* suffix : {".pt", ".pth", ".bin", ".ckpt"}) {
    if (!path.ends_with(suffix)) continue;
    fail(ErrorKind::kData,
         "{}: PyTorch's own files hold code and are not read; in Python, "
         "safetensors.torch.save_file(model.state_dict(), \"model.safetensors\") makes one that is",
         path);
  }
  if (path.ends_with(".safetensors")) {
    SafetensorsFile file = load_safetensors(path);
    return {std::move(file.arrays), framework_of(file.metadata)};
  }
  if (is_keras(path)) return {load_keras(path), Framework::kKeras};
  return {load_all(path), std::nullopt};
}

std::string shape_of(const Array& array) { return to_string(array.shape()); }

// The problems of one kind, as lines.
class Problems {
 public:
  void add(std::string_view kind, const std::string& line) {
    ++count_;
    std::vector<std::string>& lines = lines_[std::string(kind)];
    if (lines.size() < kMostLines) lines.push_back(fmt::format("\n  {:<12}{}", kind, line));
    ++counts_[std::string(kind)];
  }
  size_t count() const { return count_; }
  std::string text() const {
    std::string text;
    for (const auto& [kind, lines] : lines_) {
      text += fmt::format("{}", fmt::join(lines, ""));
      const size_t more = counts_.at(kind) - lines.size();
      if (more > 0) text += fmt::format("\n  {:<12}and {} more", kind, more);
    }
    return text;
  }

 private:
  std::map<std::string, std::vector<std::string>> lines_;
  std::map<std::string, size_t> counts_;
  size_t count_ = 0;
};

// " (did you mean 'fc.weight'?)": a name almost as wanted, or the arrays left that would fit.
std::string hint(const ForeignWeight& wanted, const NamedArrays& left) {
  std::vector<std::string> names, fitting;
  for (const auto& [name, array] : left) {
    names.push_back(name);
    if (array.shape() == wanted.foreign_shape) fitting.push_back(name);
  }
  const std::string near = closest(wanted.foreign_name, names);
  if (!near.empty()) return fmt::format(" (did you mean '{}'?)", near);
  if (fitting.empty()) return "";
  if (fitting.size() > 3) fitting.resize(3);
  return fmt::format(" (of this shape: '{}')", fmt::join(fitting, "', '"));
}

NamedArrays without_ignored(NamedArrays arrays, const WeightNames& names) {
  std::erase_if(arrays, [&](const auto& entry) {
    return matches(names.ignore, entry.first) ||
           (names.layout == Framework::kTorch && entry.first.ends_with(kBatchCount));
  });
  return arrays;
}

// "; it fits --names mlx", if the file is of another framework than was said.
std::string other_framework(nn::Module& network, const Shape& example, const NamedArrays& arrays,
                            Framework tried) {
  for (const Framework each :
       {Framework::kMica, Framework::kTorch, Framework::kMlx, Framework::kKeras}) {
    if (each == tried) continue;
    const std::vector<ForeignWeight> weights = nn::foreign_weights(network, example, each);
    const bool fits = std::all_of(weights.begin(), weights.end(), [&](const ForeignWeight& weight) {
      const auto found = arrays.find(weight.foreign_name);
      return found != arrays.end() && found->second.shape() == weight.foreign_shape;
    });
    if (fits) return fmt::format("; it fits --names {}", nn::name_of(each));
  }
  return "";
}

// The state that the file's arrays make, or an error with everything that keeps them from it.
NamedArrays fit(nn::Module& network, const Shape& example, const WeightsFile& file,
                const WeightNames& names, const std::string& path) {
  const std::vector<ForeignWeight> weights = named_weights(network, example, names);
  const NamedArrays arrays = without_ignored(file.arrays, names);
  NamedArrays state = network.state(), left = arrays;
  for (const ForeignWeight& weight : weights) left.erase(weight.foreign_name);
  Problems problems;
  for (const ForeignWeight& weight : weights) {
    if (matches(names.keep, weight.name)) continue;
    const auto found = arrays.find(weight.foreign_name);
    if (found == arrays.end()) {
      const std::string ours =
          weight.name == weight.foreign_name ? "" : fmt::format(", ours is '{}'", weight.name);
      problems.add("missing",
                   fmt::format("'{}' {}{}{}", weight.foreign_name, to_string(weight.foreign_shape),
                               ours, hint(weight, left)));
    } else if (found->second.shape() != weight.foreign_shape) {
      problems.add("other shape",
                   fmt::format("'{}' is {}, want {}", weight.foreign_name, shape_of(found->second),
                               to_string(weight.foreign_shape)));
    } else {
      state[weight.name] = weight.to_mica(found->second);
    }
  }
  for (const auto& [name, array] : left) {
    problems.add("left over", fmt::format("'{}' {}", name, shape_of(array)));
  }
  if (problems.count() == 0) return state;
  fail(ErrorKind::kData,
       "{}: does not fit the model, with names and layouts of {}:{}\n{} problem{}{}", path,
       names.source, problems.text(), problems.count(), problems.count() == 1 ? "" : "s",
       other_framework(network, example, arrays, names.layout));
}

}  // namespace

void load_weights(nn::Module& network, const Shape& example, const std::string& path,
                  const std::optional<WeightNames>& names) {
  const WeightsFile file = read_file(path);
  WeightNames used;
  if (names) {
    used = *names;
  } else if (file.framework) {
    used.layout = *file.framework;
    used.source = nn::name_of(*file.framework);
  } else {
    fail(
        "{}: does not say whose names and layouts it has; give --names torch, mlx, keras, mica or "
        "a file of names",
        path);
  }
  network.load_state(fit(network, example, file, used, path));
}

bool is_foreign(const std::string& path) {
  for (const char* suffix : {".safetensors", ".npz", ".keras", ".pt", ".pth", ".bin", ".ckpt"}) {
    if (path.ends_with(suffix)) return true;
  }
  return is_keras(path);
}

void save_weights(const nn::Module& network, const Shape& example, const std::string& path,
                  const WeightNames& names, const std::map<std::string, std::string>& metadata) {
  nn::Module& model = const_cast<nn::Module&>(network);  // listing members changes nothing
  const NamedArrays state = network.state();
  NamedArrays arrays;
  for (const ForeignWeight& weight : named_weights(model, example, names)) {
    if (matches(names.ignore, weight.foreign_name)) continue;
    const bool added =
        arrays.emplace(weight.foreign_name, weight.to_foreign(state.at(weight.name))).second;
    if (!added) fail("{}: two arrays are named '{}'", names.source, weight.foreign_name);
    constexpr std::string_view kMean = "running_mean";
    if (names.layout == Framework::kTorch && weight.foreign_name.ends_with(kMean)) {
      const std::string norm =
          weight.foreign_name.substr(0, weight.foreign_name.size() - kMean.size());
      arrays[norm + kBatchCount] = zeros({}, int64);
    }
  }
  if (path.ends_with(".safetensors")) {
    std::map<std::string, std::string> all = metadata;
    all["format"] = names.layout == Framework::kTorch ? "pt" : nn::name_of(names.layout);
    return save_safetensors(path, arrays, all);
  }
  save(path, arrays);
}

}  // namespace mica::trainers
