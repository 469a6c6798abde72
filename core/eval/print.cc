// Arrays as text, in the manner of NumPy's repr: the same digits, widths, line breaks and ellipses,
// which its documentation of set_printoptions describes, at its default options.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <ostream>

#include "core/eval/eval.h"
#include "core/graph/array.h"
#include "core/graph/node.h"
#include "core/runtime/mapped_file.h"

namespace mica {
namespace {

constexpr int64_t kMostPrinted = 1000;  // beyond this, long axes show both ends only
constexpr int64_t kEdge = 3;
constexpr size_t kLineWidth = 75;
constexpr size_t kPrecision = 8;  // digits behind the point, at most

std::string blanks(size_t count) { return std::string(count, ' '); }

/// "1.50" to "1.5", "2.00" to "2."; every number keeps its point. The exponent stays behind.
std::string trim_zeros(const std::string& text) {
  const size_t end = std::min(text.find('e'), text.size());
  std::string digits = text.substr(0, end);
  if (digits.find('.') == digits.npos) digits += '.';
  digits.resize(digits.find_last_not_of('0') + 1);
  return digits + text.substr(end);
}

size_t decimals(const std::string& text) {
  const size_t point = text.find('.');
  if (point == text.npos) return 0;
  return std::min(text.find('e'), text.size()) - point - 1;
}

/// The fewest digits that give the same value back.
template <class T>
std::string shortest(T value, std::chars_format format) {
  if constexpr (std::is_floating_point_v<T>) {
    char text[400];
    const auto end = std::to_chars(text, text + sizeof(text), value, format).ptr;
    return {text, end};
  } else {
    const auto wide = static_cast<float>(value);
    for (size_t digits = 0;; ++digits) {
      const std::string text = fmt::format("{:.{}e}", wide, digits);
      const bool same = static_cast<float>(T(std::strtof(text.c_str(), nullptr))) == wide;
      if (!same && digits < kPrecision) continue;
      if (format == std::chars_format::scientific) return text;
      const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
      return fmt::format("{:.{}f}", wide, std::max(static_cast<int>(digits) - exponent, 0));
    }
  }
}

template <class T>
double as_double(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return value;
  else
    return static_cast<float>(value);
}

/// The format that the values of an array share.
template <class T>
class FloatFormat {
 public:
  FloatFormat(const std::vector<T>& values, bool plus) : plus_(plus) {
    choose_notation(values);
    std::vector<std::string> texts;
    bool special = false, negative_infinity = plus;
    for (const T value : values) {
      if (std::isfinite(as_double(value)))
        texts.push_back(number(value));
      else
        special = true;
      if (as_double(value) == -std::numeric_limits<double>::infinity()) negative_infinity = true;
    }
    for (const std::string& text : texts) {
      left_ = std::max(left_, text.find('.'));
      right_ = std::max(right_, decimals(text));
      exponent_ = std::max(exponent_, text.size() - std::min(text.find('e'), text.size()));
    }
    precision_ = right_;
    if (scientific_) right_ += exponent_;
    if (!special) return;
    const auto room = static_cast<int64_t>(right_) + 1;
    left_ = static_cast<size_t>(
        std::max({static_cast<int64_t>(left_), 3 - room, 3 + negative_infinity - room}));
  }

  std::string operator()(T value) const {
    std::string text;
    if (!std::isfinite(as_double(value))) {
      text = special(as_double(value));
      return blanks(left_ + right_ + 1 - text.size()) + text;
    }
    text = number(value);
    if (scientific_) {
      // All have as many digits as the longest, and exponents too.
      if (decimals(text) < precision_) text = exact(value, precision_);
      const size_t end = text.find('e');
      std::string exponent = text.substr(end);
      text.resize(end);
      exponent.insert(2, exponent_ - exponent.size(), '0');
      text += exponent;
    }
    const size_t before = text.find('.');
    text = blanks(left_ - before) + text;
    return text + blanks(left_ + 1 + right_ - text.size());
  }

 private:
  void choose_notation(const std::vector<T>& values) {
    // Of the type itself, as its divisions round.
    T largest = T(0.0f), smallest = T(0.0f);
    bool any = false;
    for (const T value : values) {
      const T size = T(std::abs(as_double(value)));
      if (!std::isfinite(as_double(value)) || as_double(size) == 0) continue;
      if (!any || as_double(size) > as_double(largest)) largest = size;
      if (!any || as_double(size) < as_double(smallest)) smallest = size;
      any = true;
    }
    if (!any) return;
    const double most = sizeof(T) == 2 ? 1e3 : sizeof(T) == 4 ? 1e6 : 1e8;
    scientific_ = as_double(largest) >= most || as_double(smallest) < as_double(T(0.0001)) ||
                  as_double(T(as_double(largest) / as_double(smallest))) > 1000;
  }

  /// With the digits that it needs, at most kPrecision behind the point.
  std::string number(T value) const {
    const auto format = scientific_ ? std::chars_format::scientific : std::chars_format::fixed;
    std::string text = shortest(value, format);
    if (decimals(text) > kPrecision) return trim_zeros(exact(value, kPrecision));
    return trim_zeros(plus_ && text[0] != '-' ? fmt::format("+{}", text) : text);
  }

  /// Rounded to so many digits behind the point, of all that the value has.
  std::string exact(T value, size_t digits) const {
    const std::string text = scientific_ ? fmt::format("{:.{}e}", as_double(value), digits)
                                         : fmt::format("{:.{}f}", as_double(value), digits);
    return plus_ && text[0] != '-' ? fmt::format("+{}", text) : text;
  }

  std::string special(double value) const {
    return fmt::format("{}{}",
                       value < 0 ? "-"
                       : plus_   ? "+"
                                 : "",
                       std::isnan(value) ? "nan" : "inf");
  }

  bool plus_;
  bool scientific_ = false;
  size_t left_ = 0, right_ = 0;  // characters before and behind the point
  size_t precision_ = 0;         // digits behind the point
  size_t exponent_ = 0;          // characters of the exponent, "e+05"
};

template <class T>
std::vector<std::string> format_all(const std::vector<T>& values, bool is_scalar) {
  std::vector<std::string> texts;
  if constexpr (is_complex(dtype_of<T>)) {
    using Part = typename T::value_type;
    std::vector<Part> real, imaginary;
    for (const T value : values) {
      real.push_back(value.real());
      imaginary.push_back(value.imag());
    }
    const FloatFormat<Part> first(real, false), second(imaginary, true);
    for (const T value : values) {
      const std::string text = second(value.imag());
      const size_t end = text.find_last_not_of(' ') + 1;
      texts.push_back(
          fmt::format("{}{}j{}", first(value.real()), text.substr(0, end), text.substr(end)));
    }
  } else if constexpr (std::is_same_v<T, bool>) {
    for (const bool value : values) {
      texts.push_back(value ? (is_scalar ? "True" : " True") : "False");
    }
  } else if constexpr (std::is_integral_v<T>) {
    size_t width = 0;
    for (const T value : values) width = std::max(width, fmt::formatted_size("{}", value));
    for (const T value : values) texts.push_back(fmt::format("{:>{}}", value, width));
  } else {
    const FloatFormat<T> format(values, false);
    for (const T value : values) texts.push_back(format(value));
  }
  return texts;
}

class Printer {
 public:
  explicit Printer(const Array& array)
      : shape_(array.shape()), shortened_(size_of(shape_) > kMostPrinted) {
    const Value& value = array.node()->values[array.index()];
    std::vector<int64_t> offsets;
    collect(0, 0, value.strides, offsets);
    dispatch(array.dtype(), [&]<class T>(TypeTag<T>) {
      std::vector<T> values;
      for (const int64_t offset : offsets) {
        T read;
        std::memcpy(&read, value.data + offset * static_cast<int64_t>(sizeof(T)), sizeof(T));
        values.push_back(read);
      }
      items_ = format_all(values, shape_.empty());
    });
    check_mapped_files();
  }

  /// The brackets after a prefix of this many characters.
  std::string print(size_t prefix) {
    next_ = 0;
    return shape_.empty() ? items_[0] : print_axis(0, prefix + 1, kLineWidth - 1);
  }

 private:
  bool is_cut(size_t axis) const { return shortened_ && shape_[axis] > 2 * kEdge; }

  /// The places of the elements that are shown, in the order in which they are.
  void collect(size_t axis, int64_t offset, const Strides& strides, std::vector<int64_t>& out) {
    if (axis == shape_.size()) return out.push_back(offset);
    for (int64_t i = 0; i < shape_[axis]; ++i) {
      if (is_cut(axis) && i == kEdge) i = shape_[axis] - kEdge;
      collect(axis + 1, offset + i * strides[axis], strides, out);
    }
  }

  std::string print_axis(size_t axis, size_t indent, size_t width) {
    return axis + 1 == shape_.size() ? print_row(indent, width - 1)
                                     : print_blocks(axis, indent, width);
  }

  /// Elements side by side, in as many lines as they need.
  std::string print_row(size_t indent, size_t width) {
    const size_t axis = shape_.size() - 1;
    const int64_t shown = is_cut(axis) ? 2 * kEdge + 1 : shape_[axis];
    std::string text, line = blanks(indent);
    for (int64_t i = 0; i < shown; ++i) {
      const std::string word = is_cut(axis) && i == kEdge ? "..." : items_[next_++];
      if (line.size() + word.size() > width && line.size() > indent) {
        line.resize(line.find_last_not_of(' ') + 1);
        text += line + "\n";
        line = blanks(indent);
      }
      line += word;
      if (i + 1 < shown) line += ", ";
    }
    return fmt::format("[{}]", (text + line).substr(indent));
  }

  std::string print_blocks(size_t axis, size_t indent, size_t width) {
    const int64_t shown = is_cut(axis) ? 2 * kEdge + 1 : shape_[axis];
    // Matrices of a stack are set apart by an empty line, stacks by two, ...
    const std::string gap =
        fmt::format(",{}{}", std::string(shape_.size() - axis - 1, '\n'), blanks(indent));
    std::string text = "[";
    for (int64_t i = 0; i < shown; ++i) {
      if (i > 0) text += gap;
      text += is_cut(axis) && i == kEdge ? "..." : print_axis(axis + 1, indent + 1, width - 1);
    }
    return text + "]";
  }

  Shape shape_;
  bool shortened_;
  std::vector<std::string> items_;
  size_t next_ = 0;
};

}  // namespace

std::string Array::to_string() const {
  if (!defined()) return "array()";
  const std::string_view prefix = "array(";
  std::string text(prefix), extra;
  if (size() == 0) {
    text += "[]";
    if (rank() > 1) extra = fmt::format("shape={}, ", mica::to_string(shape()));
  } else {
    eval({*this});
    text += Printer(*this).print(prefix.size());
    if (size() > kMostPrinted) extra = fmt::format("shape={}, ", mica::to_string(shape()));
  }
  extra += fmt::format("dtype={})", dtype());
  const size_t newline = text.rfind('\n');
  const size_t last_line = text.size() + 1 - (newline == text.npos ? 0 : newline + 1);
  const bool fits = last_line + extra.size() + 1 <= kLineWidth;
  const std::string gap = fits ? std::string(1, ' ') : fmt::format("\n{}", blanks(prefix.size()));
  return fmt::format("{},{}{}", text, gap, extra);
}

std::ostream& operator<<(std::ostream& out, const Array& array) { return out << array.to_string(); }

}  // namespace mica
