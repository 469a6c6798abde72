// HDF5 files: arrays, texts and attributes by name, over the C library.
//
//   Hdf5Writer out;
//   out.write("/model/0.weight", to_host(weight));       // groups on the way are created
//   out.write_text("/config", yaml);                     // any length, UTF-8
//   out.set_attribute("/", "format", "mica-checkpoint");
//   out.set_attribute("/model", "step", int64_t{120});
//   out.save("last.h5");                                 // atomic, see core/io/file.h
//
//   Hdf5Reader in("last.h5");
//   for (const std::string& name : in.list("/model")) in.read("/model/" + name);
//   int64_t step = in.attribute_int("/model", "step");
//
// Equal contents written in the same order give equal bytes: no times are stored, and datasets are
// contiguous and not compressed. The writer builds the file in memory, so that a full disk is met
// by our own write alone. bool is stored as h5py does (an enum FALSE, TRUE), complex numbers as the
// compound {r, i}, float16 and bfloat16 as 16-bit floats of their own layout; all read as
// themselves in Mica and as NumPy types in h5py (bfloat16 as float32).
//
// Files end in a seal: a checksum that is compared when they are opened, before HDF5 sees them.
// HDF5 itself crashes or hangs on some damaged files, so that files without a seal, those of
// others, are read in a child process with limits; what happens there is one error here.
//
// What cannot be read or written is Error(kData) naming the file, the object and the reason; HDF5
// prints nothing itself. One thread at a time an object; different objects may be used from
// different threads.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/host_tensor.h"

namespace mica {

class Hdf5Writer {
 public:
  Hdf5Writer();
  ~Hdf5Writer();
  Hdf5Writer(Hdf5Writer&&) noexcept;
  Hdf5Writer& operator=(Hdf5Writer&&) noexcept;

  /// Makes the group and those above it, unless they are there.
  void create_group(const std::string& name);
  /// Writes a new dataset. Throws if the name is taken.
  void write(const std::string& name, const HostTensor& tensor);
  void write(const std::string& name, Dtype dtype, const Shape& shape, const void* data);
  /// A text as a scalar dataset, for what may outgrow an attribute.
  void write_text(const std::string& name, std::string_view text);

  /// Attributes of a group or dataset that exists ("/" is the root).
  void set_attribute(const std::string& object, const std::string& name, std::string_view text);
  void set_attribute(const std::string& object, const std::string& name, const char* text) {
    set_attribute(object, name, std::string_view(text));
  }
  void set_attribute(const std::string& object, const std::string& name, int64_t value);
  void set_attribute(const std::string& object, const std::string& name, double value);
  void set_attribute(const std::string& object, const std::string& name,
                     const std::vector<std::string>& texts);
  void set_attribute(const std::string& object, const std::string& name, const HostTensor& values);

  /// Writes the file to `path` in one step. The writer is empty afterwards and may not be used.
  void save(const std::string& path);

 private:
  struct File;
  std::unique_ptr<File> file_;
};

class Hdf5Reader {
 public:
  /// Throws Error(kData) if the file is missing, no HDF5 file, or damaged (cut off, for example).
  explicit Hdf5Reader(const std::string& path);
  ~Hdf5Reader();
  Hdf5Reader(Hdf5Reader&&) noexcept;
  Hdf5Reader& operator=(Hdf5Reader&&) noexcept;

  /// As it was opened.
  const std::string& path() const;
  /// Whether there is a group or dataset of the name; is_group and is_dataset: of that kind.
  bool has(const std::string& name) const;
  bool is_group(const std::string& name) const;
  bool is_dataset(const std::string& name) const;
  /// The names of a group's members, without the group's own name, in alphabetical order.
  std::vector<std::string> list(const std::string& group) const;

  /// Every dataset in the file by its path, without the leading slash, in alphabetical order.
  std::vector<std::string> datasets() const;

  /// True if the dataset's elements are of a type of Mica (not texts, for example).
  bool is_numeric(const std::string& name) const;
  Dtype dtype(const std::string& name) const;
  Shape shape(const std::string& name) const;
  /// The whole dataset. Other byte orders are converted, chunks unpacked.
  HostTensor read(const std::string& name) const;
  /// Entries [begin, begin + count) of the first axis.
  HostTensor read_rows(const std::string& name, int64_t begin, int64_t count) const;
  /// A scalar text dataset, of fixed or variable length.
  std::string read_text(const std::string& name) const;
  /// A one-dimensional dataset of texts.
  std::vector<std::string> read_texts(const std::string& name) const;

  /// An attribute of a group or dataset. Reading one that is missing, or of another kind, throws
  /// Error(kData) naming file, object and attribute; numbers are converted, and must be single.
  bool has_attribute(const std::string& object, const std::string& name) const;
  std::string attribute_text(const std::string& object, const std::string& name) const;
  int64_t attribute_int(const std::string& object, const std::string& name) const;
  double attribute_double(const std::string& object, const std::string& name) const;
  std::vector<std::string> attribute_texts(const std::string& object,
                                           const std::string& name) const;
  HostTensor attribute(const std::string& object, const std::string& name) const;

 private:
  struct File;
  std::unique_ptr<File> file_;
};

}  // namespace mica
