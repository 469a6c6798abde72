#include <unistd.h>

#include <cstddef>
#include <shared_mutex>

#include "core/base/error.h"
#include "core/io/hdf5_handle.h"

namespace mica::hdf5 {
namespace {

/// A 16-bit float with the given number of exponent bits.
Handle half_type(size_t exponent_bits) {
  Handle type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  const size_t mantissa_bits = 15 - exponent_bits;
  H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits);
  H5Tset_ebias(type, (size_t{1} << (exponent_bits - 1)) - 1);
  H5Tset_size(type, 2);
  return type;
}

Handle bool_type() {
  Handle type(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
  int8_t value = 0;
  H5Tenum_insert(type, "FALSE", &value);
  value = 1;
  H5Tenum_insert(type, "TRUE", &value);
  return type;
}

Handle complex_type(hid_t part) {
  const size_t bytes = H5Tget_size(part);
  Handle type(H5Tcreate(H5T_COMPOUND, 2 * bytes), H5Tclose);
  H5Tinsert(type, "r", 0, part);
  H5Tinsert(type, "i", bytes, part);
  return type;
}

std::optional<Dtype> float_dtype(hid_t type) {
  size_t sign = 0, exponent_at = 0, exponent_bits = 0, mantissa_at = 0, mantissa_bits = 0;
  H5Tget_fields(type, &sign, &exponent_at, &exponent_bits, &mantissa_at, &mantissa_bits);
  const size_t size = H5Tget_size(type);
  if (size == 2 && exponent_bits == 5) return Dtype::kFloat16;
  if (size == 2 && exponent_bits == 8) return Dtype::kBfloat16;
  if (size == 4) return Dtype::kFloat32;
  if (size == 8) return Dtype::kFloat64;
  return std::nullopt;
}

std::optional<Dtype> integer_dtype(hid_t type) {
  const bool is_signed = H5Tget_sign(type) != H5T_SGN_NONE;
  switch (H5Tget_size(type)) {
    case 1: return is_signed ? Dtype::kInt8 : Dtype::kUint8;
    case 2: return is_signed ? Dtype::kInt16 : Dtype::kUint16;
    case 4: return is_signed ? Dtype::kInt32 : Dtype::kUint32;
    case 8: return is_signed ? Dtype::kInt64 : Dtype::kUint64;
    default: return std::nullopt;
  }
}

std::optional<Dtype> enum_dtype(hid_t type) {
  int8_t value = 0;
  const bool is_bool = H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 &&
                       H5Tenum_valueof(type, "TRUE", &value) >= 0;
  if (is_bool) return Dtype::kBool;
  return std::nullopt;
}

std::optional<Dtype> compound_dtype(hid_t type) {
  const bool is_complex = H5Tget_nmembers(type) == 2 && H5Tget_member_index(type, "r") == 0 &&
                          H5Tget_member_index(type, "i") == 1 &&
                          H5Tget_member_class(type, 0) == H5T_FLOAT;
  if (!is_complex) return std::nullopt;
  return H5Tget_size(type) > 8 ? Dtype::kComplex128 : Dtype::kComplex64;
}

}  // namespace

namespace {
std::shared_mutex in_use;
thread_local int sessions = 0;
}  // namespace

Session::Session() {
  if (sessions++ == 0) in_use.lock_shared();
  // HDF5 prints its errors to stderr unless told otherwise, thread by thread.
  thread_local const herr_t silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  static_cast<void>(silent);
}

Session::~Session() {
  if (--sessions == 0) in_use.unlock_shared();
}

pid_t fork_alone() {
  MICA_ASSERT(sessions == 0);
  in_use.lock();
  const pid_t process = ::fork();
  if (process == 0)
    sessions = 1;  // for good: the child has one thread, and its copy of the lock stays taken
  else
    in_use.unlock();
  return process;
}

std::string hdf5_reason() {
  std::string text = "no reason given";
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
        if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
        return 0;
      },
      &text);
  return text;
}

Handle type_of(Dtype dtype) {
  const auto copy = [](hid_t type) { return Handle(H5Tcopy(type), H5Tclose); };
  switch (dtype) {
    case Dtype::kBool: return bool_type();
    case Dtype::kUint8: return copy(H5T_STD_U8LE);
    case Dtype::kUint16: return copy(H5T_STD_U16LE);
    case Dtype::kUint32: return copy(H5T_STD_U32LE);
    case Dtype::kUint64: return copy(H5T_STD_U64LE);
    case Dtype::kInt8: return copy(H5T_STD_I8LE);
    case Dtype::kInt16: return copy(H5T_STD_I16LE);
    case Dtype::kInt32: return copy(H5T_STD_I32LE);
    case Dtype::kInt64: return copy(H5T_STD_I64LE);
    case Dtype::kFloat16: return half_type(5);
    case Dtype::kBfloat16: return half_type(8);
    case Dtype::kFloat32: return copy(H5T_IEEE_F32LE);
    case Dtype::kFloat64: return copy(H5T_IEEE_F64LE);
    case Dtype::kComplex64: return complex_type(H5T_IEEE_F32LE);
    case Dtype::kComplex128: return complex_type(H5T_IEEE_F64LE);
  }
  assertion_failed("a known dtype", __FILE__, __LINE__);
}

std::optional<Dtype> dtype_of_type(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER: return integer_dtype(type);
    case H5T_FLOAT: return float_dtype(type);
    case H5T_ENUM: return enum_dtype(type);
    case H5T_COMPOUND: return compound_dtype(type);
    default: return std::nullopt;
  }
}

}  // namespace mica::hdf5
