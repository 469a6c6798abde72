// HDF5 identifiers that close themselves, and the mapping of element types. For core/io only.
//
//   Handle space = Handle(H5Screate(H5S_SCALAR), H5Sclose);
//   if (!space) fail(ErrorKind::kData, "{}: ...: {}", path, hdf5_reason());
//
// Hold a Session around every use of HDF5.
#pragma once

#include <hdf5.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "core/graph/dtype.h"

namespace mica::hdf5 {

class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }

  operator hid_t() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// While one exists on a thread, HDF5 may be used there. It keeps HDF5 from printing its errors,
/// and fork_alone() waiting. Sessions of a thread may nest.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};
/// fork() while no thread is inside HDF5, so that the child finds its locks open. REQUIRES: no
/// Session on this thread.
pid_t fork_alone();

/// The innermost description of the last failed call on this thread.
std::string hdf5_reason();

/// The type of `dtype` in files and in memory: little-endian, as every machine that Mica runs on.
Handle type_of(Dtype dtype);
/// The dtype that holds values of a file's type; nothing for texts, references and the like.
std::optional<Dtype> dtype_of_type(hid_t type);

}  // namespace mica::hdf5
