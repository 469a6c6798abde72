#include <sys/stat.h>

#include <algorithm>

#include "core/io/hdf5.h"
#include "core/io/hdf5_handle.h"

namespace mica {

using hdf5::Handle;
using hdf5::hdf5_reason;

struct Hdf5Reader::File {
  std::string path;
  Handle id;

  [[noreturn]] void fail_read(const std::string& name) const {
    fail(ErrorKind::kData, "{}: cannot read {}: {}", path, name, hdf5_reason());
  }
  Handle dataset(const std::string& name) const {
    Handle dataset(H5Dopen2(id, name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset) fail(ErrorKind::kData, "{}: no dataset {} in it", path, name);
    return dataset;
  }
  Handle attribute(const std::string& object, const std::string& name) const {
    Handle found(H5Aopen_by_name(id, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                 H5Aclose);
    if (!found) fail(ErrorKind::kData, "{}: no attribute {} of {} in it", path, name, object);
    return found;
  }
  Dtype dtype(hid_t type, const std::string& name) const {
    const std::optional<Dtype> dtype = hdf5::dtype_of_type(type);
    if (!dtype) fail(ErrorKind::kData, "{}: {} has an element type that is no number", path, name);
    return *dtype;
  }
};

namespace {

Shape shape_of(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  std::vector<hsize_t> lengths(static_cast<size_t>(std::max(rank, 0)));
  if (rank > 0) H5Sget_simple_extent_dims(space, lengths.data(), nullptr);
  Shape shape;
  for (const hsize_t length : lengths) shape.push_back(static_cast<int64_t>(length));
  return shape;
}

std::string without_padding(const char* text, size_t length) {
  std::string result(text, length);
  result.resize(std::min(result.find('\0'), result.size()));
  return result;
}

/// Texts of fixed or variable length; `read(type, out)` is H5Dread or H5Aread. Nothing on failure.
template <class Read>
std::optional<std::vector<std::string>> texts_of(hid_t type, hid_t space, const Read& read) {
  if (H5Tget_class(type) != H5T_STRING) return std::nullopt;
  const auto count =
      static_cast<size_t>(std::max<hssize_t>(H5Sget_simple_extent_npoints(space), 0));
  std::vector<std::string> texts;
  if (count == 0) return texts;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> pointers(count, nullptr);
    if (read(type, pointers.data()) < 0) return std::nullopt;
    for (const char* text : pointers) texts.emplace_back(text == nullptr ? "" : text);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
    return texts;
  }
  const size_t length = H5Tget_size(type);
  std::string padded(count * length, '\0');
  if (read(type, padded.data()) < 0) return std::nullopt;
  for (size_t i = 0; i < count; ++i) {
    texts.push_back(without_padding(padded.data() + i * length, length));
  }
  return texts;
}

}  // namespace

Hdf5Reader::Hdf5Reader(const std::string& path) : file_(std::make_unique<File>()) {
  hdf5::silence_hdf5();
  file_->path = path;
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) fail(ErrorKind::kData, "{}: no such file", path);
  if (S_ISDIR(status.st_mode)) fail(ErrorKind::kData, "{}: is a folder, wanted an HDF5 file", path);
  if (status.st_size == 0) fail(ErrorKind::kData, "{}: is empty, wanted an HDF5 file", path);
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 < 0) fail(ErrorKind::kData, "{}: cannot read: {}", path, hdf5_reason());
  if (is_hdf5 == 0) fail(ErrorKind::kData, "{}: is no HDF5 file", path);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // Locks fail on read-only and some network file systems, and readers need none.
  H5Pset_file_locking(access, false, true);
  file_->id = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose);
  if (!file_->id) {
    fail(ErrorKind::kData, "{}: damaged HDF5 file (cut off?): {}", path, hdf5_reason());
  }
}

Hdf5Reader::~Hdf5Reader() = default;
Hdf5Reader::Hdf5Reader(Hdf5Reader&&) noexcept = default;
Hdf5Reader& Hdf5Reader::operator=(Hdf5Reader&&) noexcept = default;

const std::string& Hdf5Reader::path() const { return file_->path; }

bool Hdf5Reader::has(const std::string& name) const { return is_group(name) || is_dataset(name); }

bool Hdf5Reader::is_group(const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle object(H5Oopen(file_->id, name.c_str(), H5P_DEFAULT), H5Oclose);
  return object && H5Iget_type(object) == H5I_GROUP;
}

bool Hdf5Reader::is_dataset(const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle object(H5Oopen(file_->id, name.c_str(), H5P_DEFAULT), H5Oclose);
  return object && H5Iget_type(object) == H5I_DATASET;
}

std::vector<std::string> Hdf5Reader::list(const std::string& group) const {
  hdf5::silence_hdf5();
  const Handle opened(H5Gopen2(file_->id, group.c_str(), H5P_DEFAULT), H5Gclose);
  if (!opened) fail(ErrorKind::kData, "{}: no group {} in it", path(), group);
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  if (H5Literate(opened, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names) < 0) {
    file_->fail_read(group);
  }
  return names;
}

std::vector<std::string> Hdf5Reader::datasets() const {
  std::vector<std::string> found;
  std::vector<std::string> groups = {""};
  while (!groups.empty()) {
    const std::string group = groups.back();
    groups.pop_back();
    for (const std::string& name : list(group.empty() ? "/" : group)) {
      const std::string path = group.empty() ? name : group + "/" + name;
      if (is_group(path))
        groups.push_back(path);
      else if (is_dataset(path))
        found.push_back(path);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool Hdf5Reader::is_numeric(const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle dataset = file_->dataset(name);
  return hdf5::dtype_of_type(Handle(H5Dget_type(dataset), H5Tclose)).has_value();
}

Dtype Hdf5Reader::dtype(const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle dataset = file_->dataset(name);
  return file_->dtype(Handle(H5Dget_type(dataset), H5Tclose), name);
}

Shape Hdf5Reader::shape(const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle dataset = file_->dataset(name);
  return shape_of(Handle(H5Dget_space(dataset), H5Sclose));
}

HostTensor Hdf5Reader::read(const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle dataset = file_->dataset(name);
  HostTensor tensor(file_->dtype(Handle(H5Dget_type(dataset), H5Tclose), name),
                    shape_of(Handle(H5Dget_space(dataset), H5Sclose)));
  if (tensor.size() == 0) return tensor;
  const Handle type = hdf5::type_of(tensor.dtype);
  if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.bytes.data()) < 0) {
    file_->fail_read(name);
  }
  return tensor;
}

HostTensor Hdf5Reader::read_rows(const std::string& name, int64_t begin, int64_t count) const {
  hdf5::silence_hdf5();
  const Handle dataset = file_->dataset(name);
  const Handle space(H5Dget_space(dataset), H5Sclose);
  Shape shape = shape_of(space);
  if (shape.empty() || begin < 0 || count < 0 || begin + count > shape[0]) {
    fail(ErrorKind::kData, "{}: {} has shape {}, which has no rows {} to {}", path(), name,
         to_string(shape), begin, begin + count);
  }
  shape[0] = count;
  HostTensor tensor(file_->dtype(Handle(H5Dget_type(dataset), H5Tclose), name), shape);
  if (tensor.size() == 0) return tensor;
  std::vector<hsize_t> start(shape.size(), 0);
  const std::vector<hsize_t> lengths(shape.begin(), shape.end());
  start[0] = static_cast<hsize_t>(begin);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, lengths.data(), nullptr);
  const Handle memory(H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr),
                      H5Sclose);
  const Handle type = hdf5::type_of(tensor.dtype);
  if (H5Dread(dataset, type, memory, space, H5P_DEFAULT, tensor.bytes.data()) < 0) {
    file_->fail_read(name);
  }
  return tensor;
}

std::vector<std::string> Hdf5Reader::read_texts(const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle dataset = file_->dataset(name);
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const auto texts =
      texts_of(Handle(H5Dget_type(dataset), H5Tclose), space, [&](hid_t type, void* out) {
        return H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
      });
  if (!texts) fail(ErrorKind::kData, "{}: {} holds no text", path(), name);
  return *texts;
}

std::string Hdf5Reader::read_text(const std::string& name) const {
  const std::vector<std::string> texts = read_texts(name);
  if (texts.size() != 1) {
    fail(ErrorKind::kData, "{}: {} holds {} texts, wanted one", path(), name, texts.size());
  }
  return texts[0];
}

bool Hdf5Reader::has_attribute(const std::string& object, const std::string& name) const {
  hdf5::silence_hdf5();
  return H5Aexists_by_name(file_->id, object.c_str(), name.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5Reader::attribute_texts(const std::string& object,
                                                     const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle attribute = file_->attribute(object, name);
  const Handle space(H5Aget_space(attribute), H5Sclose);
  const auto texts = texts_of(Handle(H5Aget_type(attribute), H5Tclose), space,
                              [&](hid_t type, void* out) { return H5Aread(attribute, type, out); });
  if (!texts) fail(ErrorKind::kData, "{}: attribute {} of {} is no text", path(), name, object);
  return *texts;
}

std::string Hdf5Reader::attribute_text(const std::string& object, const std::string& name) const {
  const std::vector<std::string> texts = attribute_texts(object, name);
  if (texts.size() != 1) {
    fail(ErrorKind::kData, "{}: attribute {} of {} holds {} texts, wanted one", path(), name,
         object, texts.size());
  }
  return texts[0];
}

HostTensor Hdf5Reader::attribute(const std::string& object, const std::string& name) const {
  hdf5::silence_hdf5();
  const Handle attribute = file_->attribute(object, name);
  HostTensor tensor(file_->dtype(Handle(H5Aget_type(attribute), H5Tclose), name),
                    shape_of(Handle(H5Aget_space(attribute), H5Sclose)));
  if (tensor.size() == 0) return tensor;
  if (H5Aread(attribute, hdf5::type_of(tensor.dtype), tensor.bytes.data()) < 0) {
    file_->fail_read(object + "@" + name);
  }
  return tensor;
}

int64_t Hdf5Reader::attribute_int(const std::string& object, const std::string& name) const {
  const HostTensor value = convert(attribute(object, name), Dtype::kInt64);
  if (value.size() != 1) {
    fail(ErrorKind::kData, "{}: attribute {} of {} has shape {}, wanted one number", path(), name,
         object, to_string(value.shape));
  }
  return value.as<int64_t>()[0];
}

double Hdf5Reader::attribute_double(const std::string& object, const std::string& name) const {
  const HostTensor value = convert(attribute(object, name), Dtype::kFloat64);
  if (value.size() != 1) {
    fail(ErrorKind::kData, "{}: attribute {} of {} has shape {}, wanted one number", path(), name,
         object, to_string(value.shape));
  }
  return value.as<double>()[0];
}

}  // namespace mica
