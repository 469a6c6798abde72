// Arrays as text, in the manner of NumPy's repr.
#include <algorithm>
#include <cmath>

#include "core/graph/array.h"

namespace mica {
namespace {

constexpr int64_t kMostPrinted = 1000;  // beyond this, long axes show both ends only
constexpr int64_t kEdge = 3;

std::string print_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  if (value == std::floor(value) && std::abs(value) < 1e8) return fmt::format("{:.0f}.", value);
  return fmt::format("{:.6g}", value);
}

class Printer {
 public:
  explicit Printer(const Array& array) : shape_(array.shape()), strides_(row_major(shape_)) {
    const auto text = [&](const auto& values, auto&& print) {
      for (const auto& value : values) items_.push_back(print(value));
    };
    const Dtype dtype = array.dtype();
    if (is_bool(dtype)) {
      for (bool value : array.to_vector<bool>()) items_.push_back(value ? "true" : "false");
    } else if (is_complex(dtype)) {
      text(array.to_vector<complex64_t>(), [](complex64_t c) {
        return fmt::format("{}{}{}j", print_real(c.real()), c.imag() < 0 ? "" : "+",
                           print_real(c.imag()));
      });
    } else if (is_floating(dtype)) {
      text(array.to_vector<double>(), print_real);
    } else if (dtype == uint64) {
      text(array.to_vector<uint64_t>(), [](uint64_t v) { return fmt::format("{}", v); });
    } else {
      text(array.to_vector<int64_t>(), [](int64_t v) { return fmt::format("{}", v); });
    }
    shortened_ = static_cast<int64_t>(items_.size()) > kMostPrinted;
    measure(0, 0);
  }

  std::string print(size_t indent) { return shape_.empty() ? items_[0] : axis(0, 0, indent + 1); }

 private:
  template <class Visit>
  void for_shown(size_t axis, Visit&& visit) const {
    const int64_t length = shape_[axis];
    const bool cut = shortened_ && length > 2 * kEdge;
    for (int64_t i = 0; i < length; ++i) {
      if (cut && i == kEdge) {
        i = length - kEdge;
        visit(i, true);
      } else {
        visit(i, false);
      }
    }
  }

  void measure(size_t axis, int64_t start) {
    if (axis == shape_.size()) {
      width_ = std::max(width_, items_[static_cast<size_t>(start)].size());
      return;
    }
    for_shown(axis, [&](int64_t i, bool) { measure(axis + 1, start + i * strides_[axis]); });
  }

  std::string axis(size_t axis, int64_t start, size_t indent) const {
    const bool last = axis + 1 == shape_.size();
    const std::string gap = last ? ", " : ",\n" + std::string(indent, ' ');
    std::string text = "[";
    bool first = true;
    for_shown(axis, [&](int64_t i, bool after_cut) {
      if (!first) text += gap;
      if (after_cut) text += "..." + gap;
      first = false;
      const int64_t at = start + i * strides_[axis];
      text += last ? fmt::format("{:>{}}", items_[static_cast<size_t>(at)], width_)
                   : this->axis(axis + 1, at, indent + 1);
    });
    return text + "]";
  }

  Shape shape_;
  Strides strides_;
  std::vector<std::string> items_;
  bool shortened_ = false;
  size_t width_ = 0;
};

}  // namespace

std::string Array::to_string() const {
  if (!defined()) return "array()";
  const std::string_view prefix = "array(";
  if (size() == 0)
    return fmt::format("array([], shape={}, dtype={})", mica::to_string(shape()), dtype());
  return fmt::format("{}{}, dtype={})", prefix, Printer(*this).print(prefix.size()), dtype());
}

}  // namespace mica
