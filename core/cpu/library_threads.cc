#include "core/cpu/library_threads.h"

#include <cblas.h>

#include <mutex>

#ifdef MICA_WITH_DNNL
#include <omp.h>
#endif

namespace mica {

void use_one_library_thread() {
  static std::once_flag blas_once;
  thread_local const bool done = [] {
    std::call_once(blas_once, [] { openblas_set_num_threads(1); });
#ifdef MICA_WITH_DNNL
    omp_set_num_threads(1);  // holds for the calling thread only
#endif
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace mica
