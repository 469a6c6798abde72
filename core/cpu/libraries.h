// What the kernels stand on, for people: the instruction set and the libraries' versions.
//
//   for (const auto& [name, text] : kernel_libraries()) ...   // {"BLAS", "OpenBLAS 0.3.21 ..."}
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mica {

/// The instruction set that kernels run with on this machine, as Highway names it: "AVX3".
std::string simd_target();

/// Name, version and chosen kernel of each library below the kernels.
std::vector<std::pair<std::string, std::string>> kernel_libraries();

}  // namespace mica
