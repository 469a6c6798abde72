// One row per way of using an op that no .def row describes: what the conformance laws run over.
//
// Adding an op means adding a row to samples.cc or its likes; conformance_test.cc fails for ops
// without one.
#pragma once

#include <string>
#include <vector>

#include "tests/core/numeric.h"
#include "tests/core/reference.h"

namespace mica::testing {

using Tensors = std::vector<Tensor>;

struct Sample {
  std::string name;
  ArrayFunction function;
  Arrays inputs;  // float64 wherever the op is meant for floats
  std::function<Tensor(const Tensors&)> reference;
  std::vector<Dtype> dtypes = {float64, float32, float16, bfloat16};  // to try in float64's stead
  bool differentiable = true;
};

/// Samples of the structured ops, several shapes each.
std::vector<Sample> op_samples();
std::vector<Sample> product_samples();  // matmul, conv2d, pooling
std::vector<Sample> norm_samples();
std::vector<Sample> linalg_samples();
std::vector<Sample> scatter_samples();
std::vector<Sample> rejection_samples();
std::vector<Sample> fft_samples();  // and of complex numbers
std::vector<Sample> loop_samples();
/// Samples of the rows of reduce.def and scan.def.
std::vector<Sample> reduce_samples();
std::vector<Sample> scan_samples();

/// Shapes of rank `lowest` to 4 with small lengths, 1 among them; the same for the same seed.
std::vector<Shape> random_shapes(size_t count, size_t lowest, uint32_t seed);

}  // namespace mica::testing
