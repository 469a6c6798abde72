#include "trainers/trained.h"

#include "core/base/error.h"
#include "trainers/run_folder.h"
#include "trainers/setup.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

fs::path choose_checkpoint(const fs::path& target) {
  if (!fs::exists(target)) fail(ErrorKind::kData, "{}: no such file or folder", target.string());
  if (!fs::is_directory(target)) return target;
  const RunFolder folder{target};
  if (!fs::exists(folder.last())) {
    fail(ErrorKind::kData, "{}: no run with a checkpoint in this folder (no {})", target.string(),
         folder.last().string());
  }
  const Checkpoint last = load_checkpoint(folder.last().string());
  const RunConfig config = parse_config(last.config, folder.last().string(), target.string());
  const bool best = config.train.keep == "best" && fs::exists(folder.best());
  return best ? folder.best() : folder.last();
}

}  // namespace

fs::path TrainedModel::run_folder() const {
  const fs::path folder = fs::absolute(path).parent_path();
  if (folder.filename() != "checkpoints") return {};
  return path.has_parent_path() && path.parent_path().has_parent_path()
             ? path.parent_path().parent_path()
             : folder.parent_path();
}

TrainedModel open_trained(const fs::path& target, const std::vector<std::string>& overrides) {
  TrainedModel model;
  model.path = choose_checkpoint(target);
  const std::string path = model.path.string();
  model.checkpoint = load_checkpoint(path);
  model.config =
      parse_config(model.checkpoint.config, path, model.path.parent_path().string(), overrides);
  const auto classes = static_cast<int64_t>(model.checkpoint.class_names.size());
  model.network = build_network(model.config, model.checkpoint.example_shape,
                                classes > 0 ? Shape{classes} : Shape{});
  try {
    model.network->load_state(model.checkpoint.model);
  } catch (const Error& error) {
    fail(ErrorKind::kData, "{}: a checkpoint of another model: {}", path, error.what());
  }
  model.network->eval();
  return model;
}

}  // namespace mica::trainers
