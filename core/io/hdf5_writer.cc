#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/io/file.h"
#include "core/io/hdf5.h"
#include "core/io/hdf5_handle.h"
#include "core/io/hdf5_source.h"

namespace mica {

using hdf5::Handle;
using hdf5::hdf5_reason;

namespace {

/// The bytes of a file that HDF5's "core" driver builds in memory. Lending it the memory is the one
/// way to see them in place: H5Fget_file_image copies, and spoils the checksum of the superblock.
struct Image {
  void* data = nullptr;
};

constexpr size_t kIncrement = size_t{1} << 20;  // by which the memory grows

void* image_malloc(size_t bytes, H5FD_file_image_op_t, void* image) {
  return static_cast<Image*>(image)->data = std::malloc(bytes);
}
void* image_memcpy(void* to, const void* from, size_t bytes, H5FD_file_image_op_t, void*) {
  return std::memcpy(to, from, bytes);
}
void* image_realloc(void* old, size_t bytes, H5FD_file_image_op_t, void* image) {
  void* grown = std::realloc(old, bytes);
  if (grown != nullptr) static_cast<Image*>(image)->data = grown;
  return grown;
}
herr_t image_free(void* data, H5FD_file_image_op_t, void* image) {
  std::free(data);
  static_cast<Image*>(image)->data = nullptr;
  return 0;
}
void* image_itself(void* image) { return image; }
herr_t keep_image(void*) { return 0; }

}  // namespace

struct Hdf5Writer::File {
  Image image;  // before id, which frees it when it closes
  Handle id;
  Handle make_groups;  // link creation: intermediate groups, UTF-8 names
};

namespace {

[[noreturn]] void fail_write(const std::string& name) {
  fail(ErrorKind::kData, "HDF5: cannot write {}: {}", name, hdf5_reason());
}

Handle creation_list(hid_t cls) {
  Handle list(H5Pcreate(cls), H5Pclose);
  H5Pset_obj_track_times(list, false);
  return list;
}

Handle dataspace(const Shape& shape) {
  if (shape.empty()) return Handle(H5Screate(H5S_SCALAR), H5Sclose);
  const std::vector<hsize_t> lengths(shape.begin(), shape.end());
  return Handle(H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr),
                H5Sclose);
}

/// Texts of a fixed length, padded with zeros: unlike those of variable length, they are stored in
/// the same bytes every time.
Handle text_type(size_t length) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, std::max<size_t>(length, 1));
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

void write_attribute(hid_t file, const std::string& object, const std::string& name, hid_t type,
                     const Shape& shape, const void* data) {
  const hdf5::Session session;
  const Handle owner(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose);
  if (!owner) fail_write(object + "@" + name);
  if (H5Aexists(owner, name.c_str()) > 0) H5Adelete(owner, name.c_str());
  const Handle space = dataspace(shape);
  const Handle attribute(H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose);
  if (!attribute) fail_write(object + "@" + name);
  if (size_of(shape) > 0 && H5Awrite(attribute, type, data) < 0) fail_write(object + "@" + name);
}

void write_dataset(hid_t file, hid_t links, const std::string& name, hid_t type, const Shape& shape,
                   const void* data) {
  const hdf5::Session session;
  const Handle space = dataspace(shape);
  const Handle creation = creation_list(H5P_DATASET_CREATE);
  const Handle dataset(H5Dcreate2(file, name.c_str(), type, space, links, creation, H5P_DEFAULT),
                       H5Dclose);
  if (!dataset) fail_write(name);
  if (size_of(shape) == 0) return;
  if (H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) fail_write(name);
}

}  // namespace

Hdf5Writer::Hdf5Writer() : file_(std::make_unique<File>()) {
  const hdf5::Session session;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access, kIncrement, false);
  H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy, image_realloc, image_free,
                                           image_itself, keep_image,   &file_->image};
  H5Pset_file_image_callbacks(access, &callbacks);
  // 1.8 is the first version whose attributes may exceed 64 KiB, and everybody reads it.
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  const Handle creation = creation_list(H5P_FILE_CREATE);
  file_->id = Handle(H5Fcreate("mica-in-memory.h5", H5F_ACC_TRUNC, creation, access), H5Fclose);
  if (!file_->id) fail_write("a file in memory");
  file_->make_groups = Handle(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(file_->make_groups, 1);
  H5Pset_char_encoding(file_->make_groups, H5T_CSET_UTF8);
}

Hdf5Writer::~Hdf5Writer() = default;
Hdf5Writer::Hdf5Writer(Hdf5Writer&&) noexcept = default;
Hdf5Writer& Hdf5Writer::operator=(Hdf5Writer&&) noexcept = default;

void Hdf5Writer::create_group(const std::string& name) {
  const hdf5::Session session;
  // Group by group from the root, as only the names in between may be there already.
  for (size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string prefix = name.substr(0, end);
    if (!prefix.empty() && prefix != "/" &&
        H5Lexists(file_->id, prefix.c_str(), H5P_DEFAULT) <= 0) {
      const Handle creation = creation_list(H5P_GROUP_CREATE);
      const Handle group(
          H5Gcreate2(file_->id, prefix.c_str(), file_->make_groups, creation, H5P_DEFAULT),
          H5Gclose);
      if (!group) fail_write(name);
    }
    if (end == std::string::npos) return;
  }
}

void Hdf5Writer::write(const std::string& name, Dtype dtype, const Shape& shape, const void* data) {
  const hdf5::Session session;
  // Groups that HDF5 creates on its own would carry the time.
  const size_t slash = name.rfind('/');
  if (slash != std::string::npos && slash > 0) create_group(name.substr(0, slash));
  write_dataset(file_->id, file_->make_groups, name, hdf5::type_of(dtype), shape, data);
}

void Hdf5Writer::write(const std::string& name, const HostTensor& tensor) {
  write(name, tensor.dtype, tensor.shape, tensor.bytes.data());
}

void Hdf5Writer::write_text(const std::string& name, std::string_view text) {
  const hdf5::Session session;
  const size_t slash = name.rfind('/');
  if (slash != std::string::npos && slash > 0) create_group(name.substr(0, slash));
  const std::string padded = text.empty() ? std::string(1, '\0') : std::string(text);
  write_dataset(file_->id, file_->make_groups, name, text_type(text.size()), {}, padded.data());
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& name,
                               std::string_view text) {
  const std::string padded = text.empty() ? std::string(1, '\0') : std::string(text);
  write_attribute(file_->id, object, name, text_type(text.size()), {}, padded.data());
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& name, int64_t value) {
  write_attribute(file_->id, object, name, hdf5::type_of(Dtype::kInt64), {}, &value);
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& name, double value) {
  write_attribute(file_->id, object, name, hdf5::type_of(Dtype::kFloat64), {}, &value);
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& name,
                               const std::vector<std::string>& texts) {
  size_t length = 1;
  for (const std::string& text : texts) length = std::max(length, text.size());
  std::string padded(length * texts.size(), '\0');
  for (size_t i = 0; i < texts.size(); ++i) texts[i].copy(padded.data() + i * length, length);
  write_attribute(file_->id, object, name, text_type(length), {static_cast<int64_t>(texts.size())},
                  padded.data());
}

void Hdf5Writer::set_attribute(const std::string& object, const std::string& name,
                               const HostTensor& values) {
  write_attribute(file_->id, object, name, hdf5::type_of(values.dtype), values.shape,
                  values.bytes.data());
}

void Hdf5Writer::save(const std::string& path) {
  const hdf5::Session session;
  AtomicFile out(path);
  if (H5Fflush(file_->id, H5F_SCOPE_GLOBAL) < 0) fail_write(path);
  // Asks for the size only; H5Fget_filesize would count the spare memory as well.
  const ssize_t bytes = H5Fget_file_image(file_->id, nullptr, 0);
  if (bytes < 0) fail_write(path);
  const std::span image(static_cast<const std::byte*>(file_->image.data),
                        static_cast<size_t>(bytes));
  out.write(image);
  out.write(make_seal(image));
  file_.reset();
  out.commit();
}

}  // namespace mica
