// The kernels of the CPU, one install function per family of ops.
//
// install.cc calls every one of them when cpu_kernels() is first asked for; a new family adds a
// line here and a line there. Nobody else includes this.
#pragma once

#include "core/graph/kernels.h"

namespace mica {

void install_attention(KernelTable& table);
void install_complex(KernelTable& table);
void install_conv(KernelTable& table);
void install_copy(KernelTable& table);
void install_fft(KernelTable& table);
void install_fused(KernelTable& table);
void install_index(KernelTable& table);
void install_linalg_expm(KernelTable& table);
void install_linalg_factor(KernelTable& table);
void install_linalg_solve(KernelTable& table);
void install_loop(KernelTable& table);
void install_matmul(KernelTable& table);
void install_norm(KernelTable& table);
void install_pool(KernelTable& table);
void install_random(KernelTable& table);
void install_random_rejection(KernelTable& table);
void install_reduce(KernelTable& table);
void install_row_norm(KernelTable& table);
void install_scan(KernelTable& table);
void install_scatter(KernelTable& table);
void install_softmax(KernelTable& table);
void install_sort(KernelTable& table);

}  // namespace mica
