// NumPy's files: .npy with one array, .npz (a zip archive, stored or deflated) with several by
// name.
//
//   HostTensor x = read_npy("x.npy");
//   std::map<std::string, HostTensor> arrays = read_npz("mnist.npz");   // arrays.at("x_train")
//   write_npz("out.npz", {{"x", x}}, /*compress=*/true);
//
// Read: format versions 1 to 3, C and Fortran order, both byte orders, every dtype of Mica.
// Written: C order, little-endian, equal arrays in equal bytes. NumPy knows no bfloat16: it is
// written as
// '<V2', as ml_dtypes does. Texts, objects and other types are Error(kData) naming the file and
// member, as are files that are cut off, no NumPy files or damaged (a wrong checksum in a zip).
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/io/host_tensor.h"

namespace mica {

/// A file with one array.
HostTensor read_npy(const std::string& path);
void write_npy(const std::string& path, const HostTensor& tensor);

/// Arrays by name, without the ".npy" their members end in.
std::map<std::string, HostTensor> read_npz(const std::string& path);
void write_npz(const std::string& path, const std::map<std::string, HostTensor>& arrays,
               bool compress = false);

/// The bytes of an .npy file to its array; errors begin with `where`.
HostTensor parse_npy(std::span<const std::byte> bytes, const std::string& where);
std::vector<std::byte> format_npy(const HostTensor& tensor);

}  // namespace mica
