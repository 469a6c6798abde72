#include <algorithm>
#include <optional>
#include <set>

#include "core/io/hdf5_handle.h"
#include "core/io/hdf5_source.h"
#include "core/io/stored_array.h"

namespace mica {

using hdf5::Handle;
using hdf5::hdf5_reason;

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

/// A file's bool may be any byte, a C++ bool may not.
void make_bools(Dtype dtype, std::byte* bytes, size_t count) {
  if (!is_bool(dtype)) return;
  std::transform(bytes, bytes + count, bytes,
                 [](std::byte b) { return std::byte{b != std::byte{0}}; });
}

class Here final : public Hdf5Source {
 public:
  explicit Here(const std::string& path) : path_(path) {
    const hdf5::Session session;
    const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
    if (is_hdf5 < 0) fail(ErrorKind::kData, "{}: cannot read: {}", path, hdf5_reason());
    if (is_hdf5 == 0) fail(ErrorKind::kData, "{}: is no HDF5 file", path);
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    // Locks fail on read-only and some network file systems, and readers need none.
    H5Pset_file_locking(access, false, true);
    id_ = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose);
    if (!id_) fail(ErrorKind::kData, "{}: damaged HDF5 file (cut off?): {}", path, hdf5_reason());
  }
  ~Here() override {
    const hdf5::Session session;
    id_ = Handle();
  }

  Hdf5Answer ask(const Hdf5Question& question) override {
    const hdf5::Session session;
    const std::string& object = question.object;
    Hdf5Answer answer;
    switch (question.query) {
      case Hdf5Query::kKind: answer.number = kind(object); break;
      case Hdf5Query::kList: answer.texts = list(object); break;
      case Hdf5Query::kDatasets: answer.texts = datasets(); break;
      case Hdf5Query::kSpec: spec(object, answer); break;
      case Hdf5Query::kTexts: texts(object, answer); break;
      case Hdf5Query::kHasAttribute:
        answer.number =
            H5Aexists_by_name(id_, object.c_str(), question.name.c_str(), H5P_DEFAULT) > 0;
        break;
      case Hdf5Query::kAttribute: attribute(object, question.name, answer); break;
      case Hdf5Query::kAttributeTexts: attribute_texts(object, question.name, answer); break;
      case Hdf5Query::kOffset: answer.number = offset(object); break;
    }
    return answer;
  }

  void read(const std::string& name, const Spec& spec, int64_t begin, int64_t count,
            std::byte* out) override {
    const hdf5::Session session;
    const Handle dataset = open_dataset(name);
    const Handle space(H5Dget_space(dataset), H5Sclose);
    Shape shape = shape_of(space);
    if (shape != spec.shape) fail(ErrorKind::kData, "{}: {} changed its shape", path_, name);
    Handle memory(H5Scopy(space), H5Sclose);
    if (!shape.empty()) {
      shape[0] = count;
      std::vector<hsize_t> start(shape.size(), 0);
      const std::vector<hsize_t> lengths(shape.begin(), shape.end());
      start[0] = static_cast<hsize_t>(begin);
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, lengths.data(), nullptr);
      memory = Handle(H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr),
                      H5Sclose);
    }
    const Handle type = hdf5::type_of(spec.dtype);
    if (H5Dread(dataset, type, memory, space, H5P_DEFAULT, out) < 0) fail_read(name);
    make_bools(spec.dtype, out, static_cast<size_t>(size_of(shape)));
  }

 private:
  [[noreturn]] void fail_read(const std::string& name) const {
    fail(ErrorKind::kData, "{}: cannot read {}: {}", path_, name, hdf5_reason());
  }
  Handle open_dataset(const std::string& name) const {
    Handle dataset(H5Dopen2(id_, name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset) fail(ErrorKind::kData, "{}: no dataset {} in it", path_, name);
    return dataset;
  }
  Handle open_attribute(const std::string& object, const std::string& name) const {
    Handle found(H5Aopen_by_name(id_, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                 H5Aclose);
    if (!found) fail(ErrorKind::kData, "{}: no attribute {} of {} in it", path_, name, object);
    return found;
  }
  /// The number of bytes of a tensor that may not even exist.
  size_t bytes_of(const Shape& shape, Dtype dtype, const std::string& name) const {
    const std::optional<size_t> bytes = byte_count(shape, dtype);
    if (!bytes) {
      fail(ErrorKind::kData, "{}: {} has the damaged shape {}", path_, name, to_string(shape));
    }
    return *bytes;
  }

  int64_t kind(const std::string& name) const {
    const Handle object(H5Oopen(id_, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (!object) return 0;
    const H5I_type_t type = H5Iget_type(object);
    return type == H5I_GROUP ? 1 : type == H5I_DATASET ? 2 : 0;
  }

  std::vector<std::string> list(const std::string& group) const {
    const Handle opened(H5Gopen2(id_, group.c_str(), H5P_DEFAULT), H5Gclose);
    if (!opened) fail(ErrorKind::kData, "{}: no group {} in it", path_, group);
    std::vector<std::string> names;
    const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
      static_cast<std::vector<std::string>*>(out)->emplace_back(name);
      return 0;
    };
    if (H5Literate(opened, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names) < 0) {
      fail_read(group);
    }
    return names;
  }

  std::vector<std::string> datasets() const {
    std::vector<std::string> found;
    std::vector<std::string> groups = {""};
    // A group may hold itself.
    std::set<std::pair<unsigned long, haddr_t>> seen;
    while (!groups.empty()) {
      const std::string group = groups.back();
      groups.pop_back();
      H5O_info_t info = {};
      const char* name = group.empty() ? "/" : group.c_str();
      if (H5Oget_info_by_name2(id_, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) fail_read(name);
      if (!seen.insert({info.fileno, info.addr}).second) continue;
      for (const std::string& member : list(name)) {
        const std::string path = group.empty() ? member : group + "/" + member;
        const int64_t what = kind(path);
        if (what == 1) groups.push_back(path);
        if (what == 2) found.push_back(path);
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  void spec(const std::string& name, Hdf5Answer& answer) const {
    const Handle dataset = open_dataset(name);
    const auto dtype = hdf5::dtype_of_type(Handle(H5Dget_type(dataset), H5Tclose));
    answer.number = dtype.has_value();
    if (dtype) answer.dtype = *dtype;
    answer.shape = shape_of(Handle(H5Dget_space(dataset), H5Sclose));
    bytes_of(answer.shape, answer.dtype, name);
  }

  int64_t offset(const std::string& name) const {
    const Handle dataset = open_dataset(name);
    const Handle settings(H5Dget_create_plist(dataset), H5Pclose);
    const Handle type(H5Dget_type(dataset), H5Tclose);
    const auto dtype = hdf5::dtype_of_type(type);
    const haddr_t begin = H5Dget_offset(dataset);
    const bool plain = settings && H5Pget_layout(settings) == H5D_CONTIGUOUS &&
                       H5Pget_external_count(settings) == 0 && begin != HADDR_UNDEF && dtype &&
                       H5Tequal(type, hdf5::type_of(*dtype)) > 0;
    return plain ? static_cast<int64_t>(begin) : -1;
  }

  void texts(const std::string& name, Hdf5Answer& answer) const {
    const Handle dataset = open_dataset(name);
    const Handle space(H5Dget_space(dataset), H5Sclose);
    auto texts =
        texts_of(Handle(H5Dget_type(dataset), H5Tclose), space, [&](hid_t type, void* out) {
          return H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
        });
    answer.number = texts.has_value();
    if (texts) answer.texts = std::move(*texts);
  }

  void attribute_texts(const std::string& object, const std::string& name,
                       Hdf5Answer& answer) const {
    const Handle attribute = open_attribute(object, name);
    const Handle space(H5Aget_space(attribute), H5Sclose);
    auto texts = texts_of(Handle(H5Aget_type(attribute), H5Tclose), space,
                          [&](hid_t type, void* out) { return H5Aread(attribute, type, out); });
    answer.number = texts.has_value();
    if (texts) answer.texts = std::move(*texts);
  }

  void attribute(const std::string& object, const std::string& name, Hdf5Answer& answer) const {
    const Handle attribute = open_attribute(object, name);
    const auto dtype = hdf5::dtype_of_type(Handle(H5Aget_type(attribute), H5Tclose));
    if (!dtype) fail(ErrorKind::kData, "{}: {} has an element type that is no number", path_, name);
    answer.dtype = *dtype;
    answer.shape = shape_of(Handle(H5Aget_space(attribute), H5Sclose));
    answer.bytes.resize(bytes_of(answer.shape, *dtype, object + "@" + name));
    if (answer.bytes.empty()) return;
    if (H5Aread(attribute, hdf5::type_of(*dtype), answer.bytes.data()) < 0) {
      fail_read(object + "@" + name);
    }
    make_bools(*dtype, answer.bytes.data(), answer.bytes.size());
  }

  std::string path_;
  Handle id_;
};

}  // namespace

std::unique_ptr<Hdf5Source> open_hdf5_here(const std::string& path) {
  return std::make_unique<Here>(path);
}

}  // namespace mica
