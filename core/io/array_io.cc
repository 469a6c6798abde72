#include "core/io/array_io.h"

#include "core/io/hdf5.h"
#include "core/io/npy.h"

namespace mica {
namespace {

std::map<std::string, Array> to_arrays(const std::map<std::string, HostTensor>& tensors) {
  std::map<std::string, Array> arrays;
  for (const auto& [name, tensor] : tensors) arrays[name] = to_array(tensor);
  return arrays;
}

}  // namespace

void save_npy(const std::string& path, const Array& array) { write_npy(path, to_host(array)); }

Array load_npy(const std::string& path) { return to_array(read_npy(path)); }

void save_npz(const std::string& path, const std::map<std::string, Array>& arrays, bool compress) {
  std::map<std::string, HostTensor> tensors;
  for (const auto& [name, array] : arrays) tensors[name] = to_host(array);
  write_npz(path, tensors, compress);
}

std::map<std::string, Array> load_npz(const std::string& path) { return to_arrays(read_npz(path)); }

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

}  // namespace mica
