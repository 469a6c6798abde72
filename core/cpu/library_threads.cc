#include "core/cpu/library_threads.h"

#include <cblas.h>

#include <mutex>

#ifdef MICA_WITH_DNNL
#include <omp.h>
#endif

// OpenBLAS with threads starts them when it is loaded. It has this function for processes that are
// about to fork; builds without threads lack it.
extern "C" int blas_thread_shutdown_() __attribute__((weak));

namespace mica {
namespace {

void end_blas_threads() {
  openblas_set_num_threads(1);
  if (blas_thread_shutdown_ != nullptr) blas_thread_shutdown_();
}

}  // namespace

void use_one_library_thread() {
  static std::once_flag blas_once;
  thread_local const bool done = [] {
    std::call_once(blas_once, end_blas_threads);
#ifdef MICA_WITH_DNNL
    omp_set_num_threads(1);  // holds for the calling thread only
#endif
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace mica
