#include "core/cpu/install.h"

namespace mica {

KernelTable& cpu_kernels() {
  static KernelTable table = [] {
    KernelTable filled;
    install_attention(filled);
    install_complex(filled);
    install_conv(filled);
    install_copy(filled);
    install_fft(filled);
    install_fused(filled);
    install_index(filled);
    install_linalg_expm(filled);
    install_linalg_factor(filled);
    install_linalg_solve(filled);
    install_loop(filled);
    install_matmul(filled);
    install_norm(filled);
    install_pool(filled);
    install_random(filled);
    install_random_rejection(filled);
    install_reduce(filled);
    install_row_norm(filled);
    install_scan(filled);
    install_scatter(filled);
    install_softmax(filled);
    install_sort(filled);
    return filled;
  }();
  return table;
}

}  // namespace mica
