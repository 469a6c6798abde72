// oracle CASES.npz RESULTS.npz: computes what a script asks for (oracle.py writes the one file and
// reads the other).
//
// The arrays of a case are named "number|function|mode|in0", "...|in1", and so on. Modes:
//   value  the outputs of the function
//   grad   the gradients of sum(w0 * out0) + sum(w1 * out1) + ... by the floating inputs
//   grad2  those of sum(v0 * grad0) + sum(v1 * grad1) + ...
//   jvp    the derivatives of the outputs along t0, t1, ...
//   vmap   the outputs for each position of the inputs' first axes
//   vmap_grad  the gradients for each position, with the same weights
// Results are named "number|0", "number|1", and so on.
#include <cstdio>
#include <sstream>
#include <vector>

#include "core/base/error.h"
#include "core/io/array_io.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/transform/vmap.h"
#include "tests/oracles/oracle.h"

namespace mica::oracles {
namespace {

struct Case {
  std::string function, mode;
  std::map<std::string, Array> arrays;

  Arrays with_prefix(const std::string& prefix) const {
    Arrays found;
    for (auto next = arrays.find(prefix + "0"); next != arrays.end();
         next = arrays.find(prefix + std::to_string(found.size()))) {
      found.push_back(next->second);
    }
    return found;
  }
};

std::map<std::string, Case> read_cases(const std::string& path) {
  std::map<std::string, Case> cases;
  for (const auto& [key, array] : load_npz(path)) {
    std::stringstream fields(key);
    std::string number, function, mode, name;
    std::getline(fields, number, '|');
    std::getline(fields, function, '|');
    std::getline(fields, mode, '|');
    std::getline(fields, name);
    Case& found = cases[number];
    found.function = function;
    found.mode = mode;
    found.arrays[name] = array;
  }
  return cases;
}

Array weighted(const Arrays& outputs, const Arrays& weights) {
  Array total = zeros({}, float64);
  for (size_t i = 0; i < weights.size(); ++i) total = total + sum(outputs[i] * weights[i]);
  return total;
}

Arrays compute(const Case& c, const Functions& functions) {
  const auto found = functions.find(c.function);
  if (found == functions.end()) fail("no function {}", c.function);
  const ArraysFunction& f = found->second;
  const Arrays in = c.with_prefix("in");
  if (c.mode == "value") return f(in);
  if (c.mode == "vmap") return vmap(f)(in);
  if (c.mode == "jvp") return jvp(f, in, c.with_prefix("t")).second;
  std::vector<int> floating;
  for (size_t i = 0; i < in.size(); ++i) {
    if (is_floating(in[i].dtype())) floating.push_back(static_cast<int>(i));
  }
  const auto first = [&](const Arrays& x) { return weighted(f(x), c.with_prefix("w")); };
  const auto gradient = grad(ScalarFunction(first), floating);
  if (c.mode == "grad") return gradient(in);
  if (c.mode == "vmap_grad") return vmap(gradient)(in);
  const auto second = [&](const Arrays& x) { return weighted(gradient(x), c.with_prefix("v")); };
  return grad(ScalarFunction(second), floating)(in);
}

int run(const std::string& cases_path, const std::string& results_path) {
  Functions functions = linalg_functions();
  functions.merge(numeric_functions());
  functions.merge(spatial_functions());
  functions.merge(network_functions());
  functions.merge(science_functions());
  std::map<std::string, Array> results;
  int failures = 0;
  for (const auto& [number, c] : read_cases(cases_path)) {
    try {
      const Arrays outputs = compute(c, functions);
      for (size_t i = 0; i < outputs.size(); ++i) {
        results[number + "|" + std::to_string(i)] = outputs[i];
        outputs[i].to_bytes();
      }
    } catch (const Error& error) {
      printf("%s %s: %s\n", c.function.c_str(), c.mode.c_str(), error.what());
      ++failures;
    }
  }
  save_npz(results_path, results);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace mica::oracles

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return mica::oracles::run(argv[1], argv[2]);
}
