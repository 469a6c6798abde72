#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/cpu/floating.h"
#include "core/cpu/gemm.h"
#include "core/cpu/gemm_bf16.h"
#include "core/cpu/install.h"
#include "core/ops/matmul.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica {
namespace {

// The leading axes of the product, and where each of its matrices starts in the operands.
struct Batch {
  int64_t count = 1;
  int64_t rows, columns, inner;
  SmallVector<int64_t, 4> lengths, a_steps, b_steps;

  Batch(const Operand& a, const Operand& b, const Operand& out) {
    const size_t rank = out.shape.size();
    rows = out.shape[rank - 2];
    columns = out.shape[rank - 1];
    inner = a.shape.back();
    for (size_t axis = 0; axis + 2 < rank; ++axis) {
      lengths.push_back(out.shape[axis]);
      a_steps.push_back(step(a, axis, rank));
      b_steps.push_back(step(b, axis, rank));
      count *= out.shape[axis];
    }
  }
  // 0 along the axes that the operand lacks or repeats.
  static int64_t step(const Operand& x, size_t axis, size_t rank) {
    const size_t missing = rank - x.shape.size();
    if (axis < missing || x.shape[axis - missing] == 1) return 0;
    return x.strides[axis - missing];
  }
  int64_t offset(int64_t index, const SmallVector<int64_t, 4>& steps) const {
    int64_t offset = 0;
    for (size_t axis = lengths.size(); axis-- > 0; index /= lengths[axis]) {
      offset += index % lengths[axis] * steps[axis];
    }
    return offset;
  }
};

// Strides of the last two axes, as BLAS wants them. Axes of length 1 may have any stride.
template <class T>
MatrixView<T> view_of(const Operand& x) {
  const size_t rank = x.shape.size();
  const int64_t rows = x.shape[rank - 2], columns = x.shape[rank - 1];
  const int64_t down = x.strides[rank - 2], across = x.strides[rank - 1];
  if (columns == 1 || across == 1) {
    if (rows == 1) return {x.as<T>(), std::max<int64_t>(columns, 1), false};
    if (down >= columns) return {x.as<T>(), std::max<int64_t>(down, 1), false};
  }
  if (rows == 1 || down == 1) {
    if (columns == 1) return {x.as<T>(), std::max<int64_t>(rows, 1), true};
    if (across >= rows) return {x.as<T>(), std::max<int64_t>(across, 1), true};
  }
  return {};
}

template <class T>
void multiply(const Operand& a, const Operand& b, const Operand& out) {
  const Batch batch(a, b, out);
  const MatrixView<T> left = view_of<T>(a), right = view_of<T>(b);
  MICA_ASSERT(left.line > 0 && right.line > 0);
  const auto product = [&](int64_t i, auto& gemm_function) {
    MatrixView<T> x = left, y = right;
    x.data += batch.offset(i, batch.a_steps);
    y.data += batch.offset(i, batch.b_steps);
    gemm_function(batch.rows, batch.columns, batch.inner, x, y,
                  out.as<T>() + i * batch.rows * batch.columns, batch.columns);
  };
  const double flops = 2.0 * double(batch.rows) * double(batch.columns) * double(batch.inner);
  // Few large products are cut into tiles, many small ones make tasks of several.
  const auto serial = [](auto... arguments) { gemm_serial<T>(arguments...); };
  const auto tiled = [](auto... arguments) { gemm<T>(arguments...); };
  const int64_t grain = std::max<int64_t>(1, static_cast<int64_t>(kTaskFlops / (flops + 1)));
  const bool many = batch.count >= 32 || flops < kTaskFlops;
  parallel_for(batch.count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) many ? product(i, serial) : product(i, tiled);
  });
}

// Integers, in the type's own arithmetic that wraps around.
template <class T>
void multiply_integers(const Operand& a, const Operand& b, const Operand& out) {
  using Wrapping = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
  const Batch batch(a, b, out);
  const size_t ra = a.shape.size(), rb = b.shape.size();
  const int64_t a_down = a.strides[ra - 2], a_across = a.strides[ra - 1];
  const int64_t b_down = b.strides[rb - 2], b_across = b.strides[rb - 1];
  const int64_t row_work = batch.columns * batch.inner + 1;
  parallel_for(batch.count * batch.rows, std::max<int64_t>(1, 100'000 / row_work),
               [&](int64_t begin, int64_t end) {
                 for (int64_t line = begin; line < end; ++line) {
                   const int64_t i = line / batch.rows;
                   const T* x =
                       a.as<T>() + batch.offset(i, batch.a_steps) + line % batch.rows * a_down;
                   const T* y = b.as<T>() + batch.offset(i, batch.b_steps);
                   T* z = out.as<T>() + line * batch.columns;
                   std::fill_n(z, batch.columns, T(0));
                   for (int64_t k = 0; k < batch.inner; ++k) {
                     const auto factor = static_cast<Wrapping>(x[k * a_across]);
                     const T* from = y + k * b_down;
                     for (int64_t j = 0; j < batch.columns; ++j) {
                       z[j] = static_cast<T>(static_cast<Wrapping>(z[j]) +
                                             factor * static_cast<Wrapping>(from[j * b_across]));
                     }
                   }
                 }
               });
}

// The bytes an operand spans, read as T and written as float32, in the same layout.
template <class T>
Operand widened(const Operand& x, Buffer& memory) {
  int64_t span = x.size() == 0 ? 0 : 1;
  for (size_t i = 0; i < x.shape.size() && span > 0; ++i) {
    MICA_ASSERT(x.strides[i] >= 0);
    span += (x.shape[i] - 1) * x.strides[i];
  }
  memory = Buffer::allocate(static_cast<size_t>(span) * sizeof(float));
  float* to = reinterpret_cast<float*>(memory.data());
  convert_by_float(x.as<const T>(), span, to);
  return {memory.data(), Dtype::kFloat32, x.shape, x.strides};
}

// False where a single product by way of float32 is as well.
bool multiply_bf16(const Operand& a, const Operand& b, const Operand& out) {
  const Batch batch(a, b, out);
  const MatrixView<bfloat16_t> left = view_of<bfloat16_t>(a), right = view_of<bfloat16_t>(b);
  if (left.line == 0 || right.line == 0) return false;
  for (int64_t i = 0; i < batch.count; ++i) {
    MatrixView<bfloat16_t> x = left, y = right;
    x.data += batch.offset(i, batch.a_steps);
    y.data += batch.offset(i, batch.b_steps);
    bfloat16_t* to = out.as<bfloat16_t>() + i * batch.rows * batch.columns;
    // What the first product cannot do, none can.
    if (!gemm_bf16(batch.rows, batch.columns, batch.inner, x, y, to, batch.columns)) return false;
  }
  return true;
}

// float16 and bfloat16 are multiplied and summed in float32.
template <class T>
void multiply_half(const Operand& a, const Operand& b, const Operand& out) {
  if constexpr (std::is_same_v<T, bfloat16_t>) {
    if (multiply_bf16(a, b, out)) return;
  }
  Buffer a_memory, b_memory;
  const Buffer memory = Buffer::allocate(static_cast<size_t>(out.size()) * sizeof(float));
  const Operand wide = {memory.data(), Dtype::kFloat32, out.shape, out.strides};
  multiply<float>(widened<T>(a, a_memory), widened<T>(b, b_memory), wide);
  convert_by_float(wide.as<const float>(), out.size(), out.as<T>());
}

void run_matmul(const MatMul&, Inputs in, Outputs out) {
  if (out[0].size() == 0) return;
  dispatch(out[0].dtype, [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, float16_t> || std::is_same_v<T, bfloat16_t>) {
      multiply_half<T>(in[0], in[1], out[0]);
    } else if constexpr (std::is_same_v<T, bool>) {
      MICA_ASSERT(!"matmul of bool is refused when the graph is built");
    } else if constexpr (std::is_integral_v<T>) {
      multiply_integers<T>(in[0], in[1], out[0]);
    } else {
      multiply<T>(in[0], in[1], out[0]);
    }
  });
}

}  // namespace

void install_matmul(KernelTable& table) { table.add<MatMul>(run_matmul, InputLayout::kMatrix); }

}  // namespace mica
