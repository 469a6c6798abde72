#include "core/io/hdf5_offset.h"

#include "core/io/hdf5_source.h"

namespace mica {

std::optional<int64_t> hdf5_offset(const std::string& path, const std::string& name) {
  const auto source = has_good_seal(path) ? open_hdf5_here(path) : open_hdf5_apart(path);
  const int64_t offset = source->ask({Hdf5Query::kOffset, name}).number;
  return offset < 0 ? std::nullopt : std::optional(offset);
}

}  // namespace mica
