// How much memory there is to use.
//
//   if (bytes > usable_memory() / 4) ...      // leave it on disk
#pragma once

#include <cstddef>

namespace mica {

/// The machine's memory in bytes, or what the process's container is given of it if that is less.
size_t usable_memory();

}  // namespace mica
