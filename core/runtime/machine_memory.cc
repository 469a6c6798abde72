#include "core/runtime/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace mica {

size_t usable_memory() {
  size_t usable =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    size_t given = 0;
    if (std::ifstream(path) >> given) usable = std::min(usable, given);
  }
  return usable;
}

}  // namespace mica
