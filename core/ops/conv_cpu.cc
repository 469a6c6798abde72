#include <type_traits>

#include "core/cpu/install.h"
#include "core/ops/conv_kernels.h"
#include "core/runtime/buffer.h"

namespace mica {
namespace {

template <class T>
constexpr bool kIsHalf = std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>;

template <class T, class U>
void convert(const T* from, int64_t count, U* to) {
  parallel_for(count, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = static_cast<U>(static_cast<float>(from[i]));
  });
}

// Calls run(a, b, out) with pointers to float or double; half types are computed in float32.
template <class Run>
void with_computed_type(const Operand& a, const Operand& b, const Operand& out, Run&& run) {
  dispatch(out.dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
      run(a.as<const T>(), b.as<const T>(), out.as<T>());
    } else if constexpr (kIsHalf<T>) {
      const int64_t total = a.size() + b.size() + out.size();
      const Buffer memory = Buffer::allocate(static_cast<size_t>(total) * sizeof(float));
      float* wide_a = reinterpret_cast<float*>(memory.data());
      float* wide_b = wide_a + a.size();
      float* wide_out = wide_b + b.size();
      convert(a.as<const T>(), a.size(), wide_a);
      convert(b.as<const T>(), b.size(), wide_b);
      run(static_cast<const float*>(wide_a), static_cast<const float*>(wide_b), wide_out);
      convert(wide_out, out.size(), out.as<T>());
    } else {
      MICA_ASSERT(!"conv2d of other types is refused when the graph is built");
    }
  });
}

template <class T>
bool is_empty(const T& g) {
  return g.input_size() == 0 || g.output_size() == 0 || g.weight_size() == 0;
}

void fill_zero(const Operand& out) {
  std::fill_n(out.data, static_cast<size_t>(out.size()) * size_of(out.dtype), std::byte{0});
}

void run_conv2d(const Conv2d& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(in[0].shape, in[1].shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  with_computed_type(in[0], in[1], out[0], [&]<class T>(const T* x, const T* weight, T* y) {
    if constexpr (std::is_same_v<T, float>) {
      if (conv_dnnl(g, x, weight, y)) return;
    }
    conv_im2col(g, x, weight, y);
  });
}

void run_conv2d_input(const Conv2dInput& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(op.input_shape, in[1].shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  with_computed_type(in[0], in[1], out[0], [&]<class T>(const T* dy, const T* weight, T* dx) {
    if constexpr (std::is_same_v<T, float>) {
      if (conv_input_dnnl(g, dy, weight, dx)) return;
    }
    conv_input_im2col(g, dy, weight, dx);
  });
}

void run_conv2d_weight(const Conv2dWeight& op, Inputs in, Outputs out) {
  const ConvGeometry g = ConvGeometry::of(in[0].shape, op.weight_shape, op.options);
  if (is_empty(g)) return fill_zero(out[0]);
  with_computed_type(in[0], in[1], out[0], [&]<class T>(const T* x, const T* dy, T* dweight) {
    if constexpr (std::is_same_v<T, float>) {
      if (conv_weight_dnnl(g, x, dy, dweight)) return;
    }
    conv_weight_im2col(g, x, dy, dweight);
  });
}

}  // namespace

void install_conv(KernelTable& table) {
  table.add<Conv2d>(run_conv2d, InputLayout::kContiguous);
  table.add<Conv2dInput>(run_conv2d_input, InputLayout::kContiguous);
  table.add<Conv2dWeight>(run_conv2d_weight, InputLayout::kContiguous);
}

}  // namespace mica
