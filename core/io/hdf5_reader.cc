#include <sys/stat.h>

#include "core/io/hdf5.h"
#include "core/io/hdf5_source.h"
#include "core/io/stored_array.h"

namespace mica {
namespace {

// Deflate makes at most 1032 bytes of one; a damaged header may tell of any number.
constexpr size_t kMostInflation = 1100;
constexpr size_t kMostFilled = size_t{64} << 20;  // of values that were never written

}  // namespace

struct Hdf5Reader::File {
  std::string path;
  std::unique_ptr<Hdf5Source> source;
  size_t most_bytes = 0;  // that a dataset can have

  Spec spec(const std::string& name) const {
    const Hdf5Answer answer = source->ask({Hdf5Query::kSpec, name});
    if (answer.number == 0) {
      fail(ErrorKind::kData, "{}: {} has an element type that is no number", path, name);
    }
    return {answer.shape, answer.dtype};
  }

  HostTensor read(const std::string& name, const Spec& spec, int64_t begin, int64_t count) const {
    Shape shape = spec.shape;
    if (!shape.empty()) shape[0] = count;
    const size_t bytes = byte_count(shape, spec.dtype).value();
    if (bytes > most_bytes) {
      fail(ErrorKind::kData, "{}: {} tells of {} bytes, more than the file can hold", path, name,
           bytes);
    }
    HostTensor tensor(spec.dtype, shape);
    if (bytes > 0) source->read(name, spec, begin, count, tensor.bytes.data());
    return tensor;
  }
};

Hdf5Reader::Hdf5Reader(const std::string& path) : file_(std::make_unique<File>()) {
  file_->path = path;
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) fail(ErrorKind::kData, "{}: no such file", path);
  if (S_ISDIR(status.st_mode)) fail(ErrorKind::kData, "{}: is a folder, wanted an HDF5 file", path);
  if (status.st_size == 0) fail(ErrorKind::kData, "{}: is empty, wanted an HDF5 file", path);
  const bool sealed = has_good_seal(path);
  file_->source = sealed ? open_hdf5_here(path) : open_hdf5_apart(path);
  file_->most_bytes =
      sealed ? SIZE_MAX : kMostFilled + kMostInflation * static_cast<size_t>(status.st_size);
}

Hdf5Reader::~Hdf5Reader() = default;
Hdf5Reader::Hdf5Reader(Hdf5Reader&&) noexcept = default;
Hdf5Reader& Hdf5Reader::operator=(Hdf5Reader&&) noexcept = default;

const std::string& Hdf5Reader::path() const { return file_->path; }

bool Hdf5Reader::has(const std::string& name) const {
  return file_->source->ask({Hdf5Query::kKind, name}).number != 0;
}

bool Hdf5Reader::is_group(const std::string& name) const {
  return file_->source->ask({Hdf5Query::kKind, name}).number == 1;
}

bool Hdf5Reader::is_dataset(const std::string& name) const {
  return file_->source->ask({Hdf5Query::kKind, name}).number == 2;
}

std::vector<std::string> Hdf5Reader::list(const std::string& group) const {
  return file_->source->ask({Hdf5Query::kList, group}).texts;
}

std::vector<std::string> Hdf5Reader::datasets() const {
  return file_->source->ask({Hdf5Query::kDatasets, "/"}).texts;
}

bool Hdf5Reader::is_numeric(const std::string& name) const {
  return file_->source->ask({Hdf5Query::kSpec, name}).number != 0;
}

Dtype Hdf5Reader::dtype(const std::string& name) const { return file_->spec(name).dtype; }

Shape Hdf5Reader::shape(const std::string& name) const {
  return file_->source->ask({Hdf5Query::kSpec, name}).shape;
}

HostTensor Hdf5Reader::read(const std::string& name) const {
  const Spec spec = file_->spec(name);
  return file_->read(name, spec, 0, spec.shape.empty() ? 1 : spec.shape[0]);
}

HostTensor Hdf5Reader::read_rows(const std::string& name, int64_t begin, int64_t count) const {
  const Spec spec = file_->spec(name);
  const Shape& shape = spec.shape;
  if (shape.empty() || begin < 0 || count < 0 || begin > shape[0] || count > shape[0] - begin) {
    fail(ErrorKind::kData, "{}: {} has shape {}, which has no rows {} to {}", path(), name,
         to_string(shape), begin, begin + count);
  }
  return file_->read(name, spec, begin, count);
}

std::vector<std::string> Hdf5Reader::read_texts(const std::string& name) const {
  Hdf5Answer answer = file_->source->ask({Hdf5Query::kTexts, name});
  if (answer.number == 0) fail(ErrorKind::kData, "{}: {} holds no text", path(), name);
  return std::move(answer.texts);
}

std::string Hdf5Reader::read_text(const std::string& name) const {
  const std::vector<std::string> texts = read_texts(name);
  if (texts.size() != 1) {
    fail(ErrorKind::kData, "{}: {} holds {} texts, wanted one", path(), name, texts.size());
  }
  return texts[0];
}

bool Hdf5Reader::has_attribute(const std::string& object, const std::string& name) const {
  return file_->source->ask({Hdf5Query::kHasAttribute, object, name}).number != 0;
}

std::vector<std::string> Hdf5Reader::attribute_texts(const std::string& object,
                                                     const std::string& name) const {
  Hdf5Answer answer = file_->source->ask({Hdf5Query::kAttributeTexts, object, name});
  if (answer.number == 0) {
    fail(ErrorKind::kData, "{}: attribute {} of {} is no text", path(), name, object);
  }
  return std::move(answer.texts);
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
  Hdf5Answer answer = file_->source->ask({Hdf5Query::kAttribute, object, name});
  HostTensor tensor;
  tensor.dtype = answer.dtype;
  tensor.shape = answer.shape;
  tensor.bytes = std::move(answer.bytes);
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
