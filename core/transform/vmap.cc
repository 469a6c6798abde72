#include "core/transform/vmap.h"

#include "core/graph/node.h"
#include "core/ops/mapping.h"
#include "core/ops/view.h"
#include "core/transform/forward_op.h"
#include "core/transform/rewrite.h"

namespace mica {
namespace {

// Stands for one example.
class Example final : public OpWith<Example> {
 public:
  static constexpr std::string_view kName = "example";
  Shape shape;
  Dtype dtype;
  int number;
  FIELDS(Example, shape, dtype, number)
  Example(const Shape& s, Dtype d, int n) : shape(s), dtype(d), number(n) {}
  std::string_view refusal() const override {
    return "[vmap] the function reads a value that depends on a mapped argument; it is called "
           "once, "
           "for no example in particular";
  }
  Specs infer(std::span<const Spec>) const override { return {{shape, dtype}}; }
  Arrays vjp(const Arrays&, const Arrays&, const Arrays&) const override { return {}; }
  Arrays vmap(const Arrays&, const Mapped&) const override { return {}; }
};

std::optional<int> axis_of(const MappedAxes& axes, size_t number) {
  return axes.empty() ? std::optional<int>(0) : axes[number];
}

void check_count(const MappedAxes& axes, size_t count, const char* what) {
  if (!axes.empty() && axes.size() != count) {
    fail("[vmap] {} axes for {} {}", axes.size(), count, what);
  }
}

// Arguments with their mapped axis in front; -1 for the length where none is mapped.
int64_t move_mapped_axes(Arrays& arguments, const MappedAxes& in_axes) {
  check_count(in_axes, arguments.size(), "arguments");
  int64_t length = -1;
  size_t first = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::optional<int> given = axis_of(in_axes, i);
    if (!given) continue;
    if (arguments[i].rank() == 0) fail("[vmap] argument {} is a scalar and has no axis to map", i);
    const int axis = normalize_axis(*given, arguments[i].shape().size(), "vmap");
    arguments[i] = moveaxis(arguments[i], axis, 0);
    if (length >= 0 && arguments[i].dim(0) != length) {
      fail("[vmap] mapped axes of arguments {} and {} have lengths {} and {}", first, i, length,
           arguments[i].dim(0));
    }
    if (length < 0) first = i;
    length = arguments[i].dim(0);
  }
  if (length < 0) fail("[vmap] no argument is mapped");
  return length;
}

Array result_at(Rewriter& mapper, const Array& result, std::optional<int> axis, size_t number,
                int64_t length) {
  Array image = mapper.rewritten(result);
  if (!axis) {
    if (image.defined()) fail("[vmap] result {} depends on a mapped argument", number);
    return result;
  }
  if (!image.defined()) {
    Shape shape = result.shape();
    shape.insert(shape.begin(), length);
    image = broadcast_to(result, shape);
  }
  return moveaxis(image, 0, normalize_axis(*axis, image.shape().size(), "vmap"));
}

}  // namespace

ArraysFunction vmap(ArraysFunction f, MappedAxes in_axes, MappedAxes out_axes) {
  return [f = std::move(f), in_axes = std::move(in_axes),
          out_axes = std::move(out_axes)](const Arrays& given) {
    const TracingScope tracing;
    Arrays arguments = given;
    const int64_t length = move_mapped_axes(arguments, in_axes);
    Rewriter mapper([](Node& node, const Arrays& in, const Mapped& mapped) {
      return node.op->vmap(in, mapped);
    });
    Arrays examples = arguments;
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (!axis_of(in_axes, i)) continue;
      const Shape& shape = arguments[i].shape();
      examples[i] = apply(
          Example(Shape(shape.begin() + 1, shape.end()), arguments[i].dtype(), static_cast<int>(i)),
          {});
      examples[i].node()->tracer = true;
      mapper.replace(examples[i], arguments[i]);
    }
    const Arrays results = f(examples);
    check_count(out_axes, results.size(), "results");
    Arrays out;
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].defined()) {  // the gradient of an integer, for example
        out.push_back(Array());
        continue;
      }
      out.push_back(result_at(mapper, results[i], axis_of(out_axes, i), i, length));
    }
    return out;
  };
}

UnaryFunction vmap(UnaryFunction f, int in_axis, int out_axis) {
  auto many = vmap(ArraysFunction([f = std::move(f)](const Arrays& x) { return Arrays{f(x[0])}; }),
                   {in_axis}, {out_axis});
  return [many = std::move(many)](const Array& x) { return many({x})[0]; };
}

Arrays CustomVjp::vmap(const Arrays& in, const Mapped& mapped) const {
  const size_t arguments = arguments_, results = in.size() - arguments_;
  const auto one = [backward = backward_, arguments, results](const Arrays& all) {
    const auto at = [&](size_t first, size_t count) {
      return Arrays(all.begin() + first, all.begin() + first + count);
    };
    return backward(at(0, arguments), at(arguments, results), at(arguments + results, results));
  };
  Backward backward = [many = mica::vmap(ArraysFunction(one))](const Arrays& x, const Arrays& y,
                                                               const Arrays& g) {
    Arrays all = x;
    all.append(y.begin(), y.end());
    all.append(g.begin(), g.end());
    return many(all);
  };
  return apply_all(std::make_shared<const CustomVjp>(arguments, std::move(backward)),
                   all_mapped(in, mapped));
}

}  // namespace mica
