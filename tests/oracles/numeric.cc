// The ops that NumPy has as well, under its names or those of numeric.py. Numbers that are no
// arrays, such as axes, are part of the name.
#include "core/ops/numeric.h"

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/scan.h"
#include "core/ops/scatter.h"
#include "core/ops/softmax.h"
#include "core/ops/sort.h"
#include "core/ops/view.h"
#include "tests/oracles/oracle.h"

namespace mica::oracles {
namespace {

ArraysFunction one(Array (*f)(const Array&)) {
  return [=](const Arrays& in) { return Arrays{f(in[0])}; };
}
ArraysFunction two(Array (*f)(const Array&, const Array&)) {
  return [=](const Arrays& in) { return Arrays{f(in[0], in[1])}; };
}

void add_rows(Functions& all) {
#define UNARY(name, ...) all[#name] = [](const Arrays& in) { return Arrays{mica::name(in[0])}; };
#define TEST UNARY
#define BINARY(name, ...) \
  all[#name] = [](const Arrays& in) { return Arrays{mica::name(in[0], in[1])}; };
#define COMPARE BINARY
#include "core/ops/elementwise.def"
#undef UNARY
#undef TEST
#undef BINARY
#undef COMPARE
  all["where"] = [](const Arrays& in) { return Arrays{where(in[0], in[1], in[2])}; };
  all["clip"] = [](const Arrays& in) { return Arrays{clip(in[0], in[1], in[2])}; };
}

// Over all axes, over axis 0, over the last one, and over the last two, which stay.
void add_reductions(Functions& all) {
  using Reduce = Array (*)(Array, const Axes&, bool);
  const auto add = [&](const std::string& name, auto reduce) {
    all[name] = [=](const Arrays& in) { return Arrays{reduce(in[0], Axes{}, false)}; };
    all[name + "_0"] = [=](const Arrays& in) { return Arrays{reduce(in[0], Axes{0}, false)}; };
    all[name + "_-1"] = [=](const Arrays& in) { return Arrays{reduce(in[0], Axes{-1}, false)}; };
    all[name + "_kept"] = [=](const Arrays& in) {
      return Arrays{reduce(in[0], Axes{-2, -1}, true)};
    };
  };
#define REDUCE(name, ...) add(#name, static_cast<Reduce>(mica::name));
#include "core/ops/reduce.def"
#undef REDUCE
  add("mean", static_cast<Reduce>(mean));
  add("var", [](const Array& x, const Axes& axes, bool keep) { return var(x, axes, keep, 1); });
  add("std", [](const Array& x, const Axes& axes, bool keep) { return stddev(x, axes, keep); });
  add("median", [](const Array& x, const Axes& axes, bool keep) { return median(x, axes, keep); });
  add("logsumexp",
      [](const Array& x, const Axes& axes, bool keep) { return logsumexp(x, axes, keep); });
  add("count_nonzero",
      [](const Array& x, const Axes& axes, bool keep) { return count_nonzero(x, axes, keep); });
}

void add_along_axes(Functions& all) {
  for (const int axis : {0, -1}) {
    const std::string at = fmt::format("_{}", axis);
#define SCAN(name, ...)                                                                    \
  all[#name + at] = [=](const Arrays& in) { return Arrays{mica::name(in[0], axis, {})}; }; \
  all[#name "_reversed" + at] = [=](const Arrays& in) {                                    \
    return Arrays{mica::name(in[0], axis, {.reverse = true})};                             \
  };
#include "core/ops/scan.def"
#undef SCAN
    all["sort" + at] = [=](const Arrays& in) { return Arrays{sort(in[0], axis)}; };
    all["argsort" + at] = [=](const Arrays& in) { return Arrays{argsort(in[0], axis)}; };
    all["argmax" + at] = [=](const Arrays& in) { return Arrays{argmax(in[0], axis)}; };
    all["argmin" + at] = [=](const Arrays& in) { return Arrays{argmin(in[0], axis)}; };
    all["diff" + at] = [=](const Arrays& in) { return Arrays{diff(in[0], 2, axis)}; };
    all["flip" + at] = [=](const Arrays& in) { return Arrays{flip(in[0], {axis})}; };
    all["roll" + at] = [=](const Arrays& in) { return Arrays{roll(in[0], -2, axis)}; };
    all["repeat" + at] = [=](const Arrays& in) { return Arrays{repeat(in[0], 3, axis)}; };
    all["take" + at] = [=](const Arrays& in) { return Arrays{take(in[0], in[1], axis)}; };
    all["take_along_axis" + at] = [=](const Arrays& in) {
      return Arrays{take_along_axis(in[0], in[1], axis)};
    };
    all["put_along_axis" + at] = [=](const Arrays& in) {
      return Arrays{put_along_axis(in[0], in[1], in[2], axis)};
    };
    all["concatenate" + at] = [=](const Arrays& in) { return Arrays{concatenate(in, axis)}; };
    all["stack" + at] = [=](const Arrays& in) { return Arrays{stack(in, axis)}; };
    all["array_split" + at] = [=](const Arrays& in) { return array_split(in[0], {1, 2}, axis); };
    all["softmax" + at] = [=](const Arrays& in) { return Arrays{softmax(in[0], {axis})}; };
  }
}

void add_indexing(Functions& all) {
  all["at_get"] = [](const Arrays& in) { return Arrays{at(in[0], {in[1], in[2]}).get()}; };
  all["at_add"] = [](const Arrays& in) { return Arrays{at(in[0], {in[1], in[2]}).add(in[3])}; };
  all["at_set"] = [](const Arrays& in) { return Arrays{at(in[0], {in[1], in[2]}).set(in[3])}; };
  all["at_multiply"] = [](const Arrays& in) {
    return Arrays{at(in[0], {in[1], in[2]}).multiply(in[3])};
  };
  all["at_maximum"] = [](const Arrays& in) {
    return Arrays{at(in[0], {in[1], in[2]}).maximum(in[3])};
  };
  all["at_minimum"] = [](const Arrays& in) {
    return Arrays{at(in[0], {in[1], in[2]}).minimum(in[3])};
  };
  all["searchsorted"] = two([](const Array& x, const Array& v) { return searchsorted(x, v); });
  all["searchsorted_right"] =
      two([](const Array& x, const Array& v) { return searchsorted(x, v, true); });
  all["ravel_multi_index"] = [](const Arrays& in) {
    return Arrays{ravel_multi_index(in, {3, 4, 5})};
  };
  all["unravel_index"] = [](const Arrays& in) { return unravel_index(in[0], {3, 4, 5}); };
  all["unique"] = one(unique);
  all["nonzero"] = [](const Arrays& in) { return nonzero(in[0]); };
  all["masked_select"] = two(masked_select);
  all["tril"] = one([](const Array& x) { return tril(x, -1); });
  all["triu"] = one([](const Array& x) { return triu(x, 1); });
  all["diagonal"] = one([](const Array& x) { return diagonal(x, 1); });
  all["trace"] = one([](const Array& x) { return trace(x); });
  all["nan_to_num"] = one([](const Array& x) { return nan_to_num(x); });
  all["round_2"] = one([](const Array& x) { return round(x, 2); });
  all["isclose"] = two([](const Array& x, const Array& y) { return isclose(x, y); });
  const std::pair<const char*, PadMode> modes[] = {{"edge", PadMode::kEdge},
                                                   {"reflect", PadMode::kReflect},
                                                   {"symmetric", PadMode::kSymmetric},
                                                   {"wrap", PadMode::kWrap}};
  for (const auto& [name, mode] : modes) {
    const PadMode how = mode;
    all[std::string("pad_") + name] = [=](const Arrays& in) {
      return Arrays{pad(in[0], {1, 0, 4}, {0, 2, 7}, how)};
    };
  }
}

std::string text_of(const Array& bytes) {
  std::string text;
  for (const int c : bytes.to_vector<int>()) text += static_cast<char>(c);
  return text;
}

void add_products(Functions& all) {
  all["matmul"] = two(matmul);
  all["outer"] = two(outer);
  all["inner"] = two(inner);
  all["kron"] = two(kron);
  all["cross"] = two([](const Array& a, const Array& b) { return cross(a, b); });
  all["tensordot"] = two([](const Array& a, const Array& b) { return tensordot(a, b, 2); });
  // The equation as bytes, then the operands.
  all["einsum"] = [](const Arrays& in) {
    return Arrays{einsum(text_of(in[0]), Arrays(in.begin() + 1, in.end()))};
  };
  all["einsum_path"] = [](const Arrays& in) {
    std::vector<int32_t> pairs;
    for (const auto& [i, k] : einsum_path(text_of(in[0]), Arrays(in.begin() + 1, in.end()))) {
      pairs.push_back(static_cast<int32_t>(i));
      pairs.push_back(static_cast<int32_t>(k));
    }
    return Arrays{Array::from(pairs, {static_cast<int64_t>(pairs.size() / 2), 2})};
  };
}

}  // namespace

Functions numeric_functions() {
  Functions all;
  add_rows(all);
  add_reductions(all);
  add_along_axes(all);
  add_indexing(all);
  add_products(all);
  return all;
}

}  // namespace mica::oracles
