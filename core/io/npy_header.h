// The header of an .npy file and where its values lie. For core/io only.
//
//   StoredTensor stored = parse_npy_header(bytes, path);
//   decode(stored, npy_values(stored, bytes, path), out);
#pragma once

#include <span>
#include <string>

#include "core/io/stored_array.h"

namespace mica {

/// Bytes up to the values, as the first 12 bytes say. Throws Error(kData) if they are no .npy file.
size_t npy_header_size(std::span<const std::byte> bytes, const std::string& where);
StoredTensor parse_npy_header(std::span<const std::byte> bytes, const std::string& where);
/// Throws Error(kData) unless so many bytes are those of the values.
void check_npy_size(const StoredTensor& stored, uint64_t bytes, const std::string& where);
/// What follows the header. Throws Error(kData) unless it has the size that the header tells.
std::span<const std::byte> npy_values(const StoredTensor& stored, std::span<const std::byte> bytes,
                                      const std::string& where);
/// The header of a row-major array, as NumPy writes it.
std::string npy_header(const Spec& spec);

}  // namespace mica
