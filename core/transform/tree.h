// Transforms of functions whose arguments and results are trees: arrays, structs with FIELDS,
// vectors, arrays, maps, pairs and tuples of trees. Members that hold no arrays are constants.
//
//   struct Line {
//     Array slope, offset;
//     FIELDS(Line, slope, offset)
//   };
//   auto loss = [](const Line& line, const Array& x, const Array& y) {
//     return mean(square(line.slope * x + line.offset - y));
//   };
//   auto [value, gradient] = tree::value_and_grad(loss)(line, x, y);   // gradient is a Line
//   line = tree::map([](auto& w, auto& g) { return w - 0.1f * g; }, line, gradient);
//
// A function that returns a pair returns more than the scalar to differentiate: the scalar and a
// tree of other results.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/fields.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"

namespace mica::tree {

/// Calls visit(array) for every array of a tree, in the order of members, elements and keys.
template <class T, class Visit>
void for_each(T& tree, const Visit& visit) {
  using Plain = std::remove_const_t<T>;
  if constexpr (std::same_as<Plain, Array>) {
    visit(tree);
  } else if constexpr (HasFields<Plain>) {
    for_each_field(tree, [&](std::string_view, auto& member) { tree::for_each(member, visit); });
  } else if constexpr (requires { tree.begin()->second; }) {
    for (auto& entry : tree) tree::for_each(entry.second, visit);
  } else if constexpr (std::same_as<Plain, std::string>) {
    return;
  } else if constexpr (requires { tree.begin(); }) {
    for (auto& element : tree) tree::for_each(element, visit);
  } else if constexpr (requires { std::tuple_size<Plain>::value; }) {
    std::apply([&](auto&... element) { (tree::for_each(element, visit), ...); }, tree);
  }
}

/// The arrays of a tree.
template <class T>
Arrays arrays(const T& tree) {
  Arrays all;
  tree::for_each(tree, [&](const Array& array) { all.push_back(array); });
  return all;
}

/// A tree like `like` with other arrays. Throws Error when their number differs.
template <class T>
T with_arrays(T like, const Arrays& arrays) {
  size_t next = 0;
  tree::for_each(like, [&](Array& array) {
    if (next < arrays.size()) array = arrays[next];
    ++next;
  });
  if (next != arrays.size()) {
    fail("[with_arrays] {} arrays for a tree of {}", arrays.size(), next);
  }
  return like;
}

/// f(a, b...) for corresponding arrays of trees of the same structure, as a tree like the first.
template <class F, class T, class... More>
T map(const F& f, const T& first, const More&... more) {
  const Arrays all[] = {tree::arrays(first), tree::arrays(more)...};
  Arrays out;
  for (size_t i = 0; i < all[0].size(); ++i) {
    [&]<size_t... k>(std::index_sequence<k...>) {
      ((all[k].size() == all[0].size()
            ? void()
            : fail("[map] trees of {} and {} arrays", all[0].size(), all[k].size())),
       ...);
      out.push_back(f(all[k][i]...));
    }
    (std::make_index_sequence<1 + sizeof...(More)>());
  }
  return with_arrays(first, out);
}

namespace internal {

// f with the arrays of a tuple of trees as its arguments; what it returns is kept in `result`.
template <class F, class Tuple, class Result>
ArraysFunction flat(const F& f, const Tuple& like, std::optional<Result>& result) {
  return [&](const Arrays& given) {
    result = std::apply(f, with_arrays(like, given));
    return tree::arrays(*result);
  };
}

template <class Tuple, size_t... kIndex>
auto pick(const Tuple& all, std::index_sequence<kIndex...>) {
  if constexpr (sizeof...(kIndex) == 1) {
    return std::get<kIndex...>(all);
  } else {
    return std::make_tuple(std::get<kIndex>(all)...);
  }
}

template <size_t kIndex, class Tuple>
void add_numbers(const Tuple& all, std::vector<int>& numbers) {
  int begin = 0;
  [&]<size_t... k>(std::index_sequence<k...>) {
    ((begin += static_cast<int>(tree::arrays(std::get<k>(all)).size())), ...);
  }
  (std::make_index_sequence<kIndex>());
  const auto count = static_cast<int>(tree::arrays(std::get<kIndex>(all)).size());
  for (int i = 0; i < count; ++i) numbers.push_back(begin + i);
}

}  // namespace internal

/// Result and gradients of a function by the arguments numbered kArguments (none given: the first):
/// a tree like the argument, or a tuple of such trees for several. What cannot be differentiated
/// has an empty array.
template <size_t... kArguments, class F>
auto value_and_grad(F f) {
  return [f = std::move(f)]<class... Trees>(const Trees&... given) {
    using Chosen = std::conditional_t<sizeof...(kArguments) == 0, std::index_sequence<0>,
                                      std::index_sequence<kArguments...>>;
    using Result = std::decay_t<std::invoke_result_t<F, const Trees&...>>;
    const std::tuple<Trees...> like(given...);
    std::vector<int> numbers;
    [&]<size_t... k>(std::index_sequence<k...>) { (internal::add_numbers<k>(like, numbers), ...); }
    (Chosen());
    std::optional<Result> result;
    auto [values, gradients] =
        value_and_grad_aux(internal::flat(f, like, result), numbers)(tree::arrays(like));
    Arrays all(tree::arrays(like).size());
    for (size_t i = 0; i < numbers.size(); ++i) all[size_t(numbers[i])] = gradients[i];
    return std::pair(with_arrays(std::move(*result), values),
                     internal::pick(with_arrays(like, all), Chosen()));
  };
}

/// The gradients alone.
template <size_t... kArguments, class F>
auto grad(F f) {
  return [f = tree::value_and_grad<kArguments...>(std::move(f))](const auto&... given) {
    return f(given...).second;
  };
}

/// Result and its derivative along `tangent`, a tree like `primal`.
template <class F, class T>
auto jvp(const F& f, const T& primal, const T& tangent) {
  using Result = std::decay_t<std::invoke_result_t<F, const T&>>;
  const std::tuple<T> like(primal);
  std::optional<Result> result;
  const auto [values, tangents] =
      mica::jvp(internal::flat(f, like, result), tree::arrays(primal), tree::arrays(tangent));
  return std::pair(with_arrays(*result, values), with_arrays(*result, tangents));
}

/// f mapped over axis axes[i] of every array of argument i; nullopt: not mapped; none given: the
/// first axis of all. Results are mapped along their first axis.
template <class F>
auto vmap(F f, MappedAxes axes = {}) {
  return [f = std::move(f), axes = std::move(axes)]<class... Trees>(const Trees&... given) {
    using Result = std::decay_t<std::invoke_result_t<F, const Trees&...>>;
    if (!axes.empty() && axes.size() != sizeof...(Trees)) {
      fail("[vmap] {} axes for {} arguments", axes.size(), sizeof...(Trees));
    }
    MappedAxes of_arrays;
    size_t argument = 0;
    const auto add = [&](const auto& each) {
      const std::optional<int> axis = axes.empty() ? std::optional<int>(0) : axes[argument];
      of_arrays.insert(of_arrays.end(), tree::arrays(each).size(), axis);
      ++argument;
    };
    (add(given), ...);
    const std::tuple<Trees...> like(given...);
    std::optional<Result> result;
    const Arrays mapped =
        mica::vmap(internal::flat(f, like, result), of_arrays)(tree::arrays(like));
    return with_arrays(std::move(*result), mapped);
  };
}

}  // namespace mica::tree
