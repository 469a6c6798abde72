#include "trainers/run_folder.h"

#include "core/base/error.h"
#include "core/io/file.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

fs::path numbered(const fs::path& runs, const std::string& name, int number) {
  return runs / (number == 1 ? name : fmt::format("{}-{}", name, number));
}

}  // namespace

fs::path RunFolder::of_epoch(int64_t epoch) const {
  return path / "checkpoints" / fmt::format("epoch-{:04}.h5", epoch);
}

void RunFolder::create() const { make_folder(path / "checkpoints"); }

void make_folder(const fs::path& folder) {
  std::error_code error;
  if (!folder.empty()) fs::create_directories(folder, error);
  if (!error) return;
  fail(ErrorKind::kData, "{}: cannot make the folder: {}", folder.string(), error.message());
}

std::string read_text(const fs::path& file) {
  const std::vector<std::byte> bytes = read_file(file.string());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void link_over(const fs::path& file, const fs::path& link) {
  const fs::path temporary = link.string() + ".link";
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_hard_link(file, temporary, error);
  // Some file systems have no hard links.
  if (error) fs::copy_file(file, temporary, fs::copy_options::overwrite_existing);
  fs::rename(temporary, link);
}

RunFolder new_run_folder(const fs::path& runs, const std::string& name) {
  int number = 1;
  while (fs::exists(numbered(runs, name, number))) ++number;
  return {numbered(runs, name, number)};
}

RunFolder newest_run_folder(const fs::path& runs, const std::string& name) {
  int number = 1;
  while (fs::exists(numbered(runs, name, number))) ++number;
  if (number == 1) {
    fail("nothing to resume: there is no {}", numbered(runs, name, 1).string());
  }
  return {numbered(runs, name, number - 1)};
}

}  // namespace mica::trainers
