#include <cstring>
#include <type_traits>

#include "core/cpu/floating.h"
#include "core/cpu/install.h"
#include "core/ops/conv_kernels.h"

namespace mica {
namespace {

bool is_empty(const ConvGeometry& g) {
  return g.input_size() == 0 || g.output_size() == 0 || g.weight_size() == 0;
}

void fill_zero(const Operand& out) {
  std::memset(out.data, 0, static_cast<size_t>(out.size()) * size_of(out.dtype));
}

void run_conv2d(const Conv2d& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(in[0].shape, in[1].shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* y) {
    if constexpr (std::is_same_v<T, float>) {
      if (conv_dnnl(g, from[0], from[1], y)) return;
    }
    conv_im2col(g, from[0], from[1], y);
  });
}

void run_conv2d_input(const Conv2dInput& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(op.input_shape, in[1].shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* dx) {
    if constexpr (std::is_same_v<T, float>) {
      if (conv_input_dnnl(g, from[0], from[1], dx)) return;
    }
    conv_input_im2col(g, from[0], from[1], dx);
  });
}

void run_conv2d_weight(const Conv2dWeight& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(in[0].shape, op.weight_shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  run_floating(in, out[0], [&]<class T>(std::array<const T*, 2> from, T* dweight) {
    if constexpr (std::is_same_v<T, float>) {
      if (conv_weight_dnnl(g, from[0], from[1], dweight)) return;
    }
    conv_weight_im2col(g, from[0], from[1], dweight);
  });
}

}  // namespace

void install_conv(KernelTable& table) {
  table.add<Conv2d>(run_conv2d, InputLayout::kContiguous);
  table.add<Conv2dInput>(run_conv2d_input, InputLayout::kContiguous);
  table.add<Conv2dWeight>(run_conv2d_weight, InputLayout::kContiguous);
}

}  // namespace mica
