#include "trainers/stored_run.h"

#include "core/base/error.h"
#include "trainers/run_folder.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

nlohmann::ordered_json object_of(const fs::path& file) {
  if (!fs::exists(file)) return nlohmann::ordered_json::object();
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(read_text(file), nullptr, false);
  if (!json.is_object()) fail(ErrorKind::kData, "{}: damaged: not a JSON object", file.string());
  return json;
}

}  // namespace

std::string StoredRun::name() const {
  const fs::path path = folder.lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

StoredRun read_run(const fs::path& folder) {
  const RunFolder files{folder};
  if (!fs::exists(files.config())) {
    fail("{}: not the folder of a run: it has no config.yaml", folder.string());
  }
  StoredRun run;
  run.folder = folder;
  run.config_text = read_text(files.config());
  Diagnostics errors;
  run.config = parse_yaml(run.config_text, files.config().string(), errors);
  errors.throw_if_any();
  run.info = object_of(files.info());
  run.summary = object_of(files.summary());
  run.metrics = read_metrics(folder / "metrics.csv");
  return run;
}

}  // namespace mica::trainers
