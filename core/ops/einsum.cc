// einsum: parsing, and one contraction after the other.
//
// Axes are known by labels: a letter's code, or -1, -2, ... for the axes of "...", counted from the
// last, so that those of all operands broadcast.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/products.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"

namespace mica {
namespace {

using Labels = std::vector<int>;

bool has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

struct Term {
  Array array;
  Labels labels;  // of its axes
};

struct Equation {
  std::vector<Term> terms;
  Labels result;
  std::map<int, int64_t> lengths;
};

class Parser {
 public:
  Parser(std::string_view text, const Arrays& operands) : text_(text), operands_(operands) {}

  Equation parse() {
    std::string packed;
    for (const char c : text_) {
      if (c != ' ') packed += c;
    }
    const size_t arrow = packed.find("->");
    const std::string left = packed.substr(0, arrow);
    size_t begin = 0;
    for (size_t number = 0;; ++number) {
      const size_t comma = left.find(',', begin);
      if (number >= operands_.size()) refuse("more terms than the {} operands", operands_.size());
      add_term(left.substr(begin, comma - begin), operands_[number]);
      if (comma == std::string::npos) break;
      begin = comma + 1;
    }
    if (equation_.terms.size() != operands_.size()) {
      refuse("{} terms for {} operands", equation_.terms.size(), operands_.size());
    }
    arrow == std::string::npos ? add_implied_result() : add_result(packed.substr(arrow + 2));
    return std::move(equation_);
  }

 private:
  template <class... T>
  [[noreturn]] void refuse(fmt::format_string<T...> why, T&&... values) const {
    fail("[einsum] \"{}\": {}", text_, fmt::format(why, std::forward<T>(values)...));
  }

  // Letters, with `ellipsis` axes for "...".
  Labels labels_of(const std::string& term, int ellipsis) const {
    Labels labels;
    for (size_t i = 0; i < term.size(); ++i) {
      if (std::isalpha(static_cast<unsigned char>(term[i]))) {
        labels.push_back(term[i]);
      } else if (term.compare(i, 3, "...") == 0) {
        for (int k = ellipsis; k > 0; --k) labels.push_back(-k);
        i += 2;
      } else {
        refuse("'{}' is neither a letter nor \"...\"", term[i]);
      }
    }
    return labels;
  }

  void add_term(const std::string& text, const Array& array) {
    const bool open = text.find("...") != std::string::npos;
    const int letters = static_cast<int>(labels_of(text, 0).size());
    const int others = array.rank() - letters;
    if (others < 0 || (others > 0 && !open)) {
      refuse("\"{}\" names {} axes, the operand has shape {}", text, letters,
             to_string(array.shape()));
    }
    most_others_ = std::max(most_others_, others);
    Term term = {array, labels_of(text, others)};
    for (size_t axis = 0; axis < term.labels.size(); ++axis) note_length(term, axis);
    equation_.terms.push_back(std::move(term));
  }

  void note_length(const Term& term, size_t axis) {
    const int label = term.labels[axis];
    const int64_t length = term.array.shape()[axis];
    int64_t& known = equation_.lengths.try_emplace(label, length).first->second;
    if (known == length) return;
    if (label > 0) refuse("axis {} has lengths {} and {}", char(label), known, length);
    if (known != 1 && length != 1) refuse("\"...\" has lengths {} and {}", known, length);
    known = std::max(known, length);
  }

  void add_result(const std::string& text) {
    equation_.result = labels_of(text, most_others_);
    for (const int label : equation_.result) {
      if (equation_.lengths.count(label) == 0) refuse("no operand has axis {}", char(label));
      if (std::count(equation_.result.begin(), equation_.result.end(), label) > 1) {
        refuse("the result has axis {} twice", char(label));
      }
    }
  }

  void add_implied_result() {
    std::map<int, int> times;
    for (const Term& term : equation_.terms) {
      for (const int label : term.labels) ++times[label];
    }
    for (int k = most_others_; k > 0; --k) equation_.result.push_back(-k);
    for (const auto& [label, count] : times) {
      if (label > 0 && count == 1) equation_.result.push_back(label);
    }
  }

  std::string_view text_;
  const Arrays& operands_;
  Equation equation_;
  int most_others_ = 0;
};

// Labels that occur twice in a term: its diagonal.
void take_diagonals(Term& term) {
  for (size_t i = 0; i < term.labels.size(); ++i) {
    for (size_t k = i + 1; k < term.labels.size(); ++k) {
      if (term.labels[i] != term.labels[k]) continue;
      const int label = term.labels[i];
      term.array = diagonal(term.array, 0, static_cast<int>(i), static_cast<int>(k));
      term.labels.erase(term.labels.begin() + static_cast<ptrdiff_t>(k));
      term.labels.erase(term.labels.begin() + static_cast<ptrdiff_t>(i));
      term.labels.push_back(label);
      return take_diagonals(term);
    }
  }
}

void sum_over(Term& term, const Labels& kept) {
  Axes axes;
  Labels left;
  for (size_t i = 0; i < term.labels.size(); ++i) {
    if (has(kept, term.labels[i]))
      left.push_back(term.labels[i]);
    else
      axes.push_back(static_cast<int>(i));
  }
  if (!axes.empty()) term.array = sum(term.array, axes);
  term.labels = left;
}

// The term with these axes in this order; those that it lacks get length 1.
Array arranged(const Term& term, const Labels& order) {
  Axes axes;
  Shape shape;
  for (const int label : order) {
    const auto at = std::find(term.labels.begin(), term.labels.end(), label);
    if (at == term.labels.end()) {
      shape.push_back(1);
      continue;
    }
    axes.push_back(static_cast<int>(at - term.labels.begin()));
    shape.push_back(term.array.dim(axes.back()));
  }
  return reshape(transpose(term.array, axes), shape);
}

// How two terms meet: axes of both that stay, of the first, of the second, and of both to sum over.
struct Meeting {
  Labels batch, rows, columns, summed;
};
Meeting meet(const Term& a, const Term& b, const Labels& kept) {
  Meeting m;
  for (const int label : a.labels) {
    if (!has(b.labels, label))
      m.rows.push_back(label);
    else
      (has(kept, label) ? m.batch : m.summed).push_back(label);
  }
  for (const int label : b.labels) {
    if (!has(a.labels, label)) m.columns.push_back(label);
  }
  return m;
}

Labels joined(std::initializer_list<const Labels*> parts) {
  Labels all;
  for (const Labels* part : parts) all.insert(all.end(), part->begin(), part->end());
  return all;
}

Term multiply_terms(Term a, Term b, const Labels& kept, const std::map<int, int64_t>& lengths) {
  Labels needed_by_a = kept, needed_by_b = kept;
  needed_by_a.insert(needed_by_a.end(), b.labels.begin(), b.labels.end());
  needed_by_b.insert(needed_by_b.end(), a.labels.begin(), a.labels.end());
  sum_over(a, needed_by_a);
  sum_over(b, needed_by_b);
  const Meeting m = meet(a, b, kept);
  const Labels result = joined({&m.batch, &m.rows, &m.columns});
  if (m.summed.empty()) return {arranged(a, result) * arranged(b, result), result};

  // (batch, rows, summed) times (batch, summed, columns).
  const auto shape_of = [&](const Labels& labels) {
    Shape shape;
    for (const int label : labels) shape.push_back(lengths.at(label));
    return shape;
  };
  const auto matrices = [&](const Term& term, const Labels& first, const Labels& second) {
    const Labels order = joined({&m.batch, &first, &second});
    const Array whole = broadcast_to(arranged(term, order), shape_of(order));
    return reshape(
        whole, {size_of(shape_of(m.batch)), size_of(shape_of(first)), size_of(shape_of(second))});
  };
  const Array product = matmul(matrices(a, m.rows, m.summed), matrices(b, m.summed, m.columns));
  return {reshape(product, shape_of(result)), result};
}

// What is needed when terms `i` and `k` are multiplied: the result's axes and those of others.
Labels needed_beside(const std::vector<Labels>& terms, const Labels& result, size_t i, size_t k) {
  Labels needed = result;
  for (size_t other = 0; other < terms.size(); ++other) {
    if (other == i || other == k) continue;
    needed.insert(needed.end(), terms[other].begin(), terms[other].end());
  }
  return needed;
}

using Path = std::vector<std::pair<size_t, size_t>>;

// One cheapest pair after the other, for many terms.
Path greedy_path(const Equation& equation) {
  std::vector<Labels> terms;
  for (const Term& term : equation.terms) terms.push_back(term.labels);
  Path path;
  while (terms.size() > 1) {
    double least = std::numeric_limits<double>::infinity();
    std::pair<size_t, size_t> best;
    for (size_t i = 0; i < terms.size(); ++i) {
      for (size_t k = i + 1; k < terms.size(); ++k) {
        Labels both = terms[i];
        for (const int label : terms[k]) {
          if (!has(both, label)) both.push_back(label);
        }
        double cost = 1;
        for (const int label : both) cost *= static_cast<double>(equation.lengths.at(label));
        if (cost < least) least = cost, best = {i, k};
      }
    }
    const auto [i, k] = best;
    const Labels needed = needed_beside(terms, equation.result, i, k);
    Labels product;
    for (const Labels* term : {&terms[i], &terms[k]}) {
      for (const int label : *term) {
        if (has(needed, label) && !has(product, label)) product.push_back(label);
      }
    }
    terms.erase(terms.begin() + static_cast<ptrdiff_t>(k));
    terms.erase(terms.begin() + static_cast<ptrdiff_t>(i));
    terms.push_back(product);
    path.push_back(best);
  }
  return path;
}

// The order with the least multiplications of all: for every set of terms the best way to multiply
// it out, from those of the sets it can be split into. Labels and terms are bits.
class BestPath {
 public:
  static constexpr size_t kMostTerms = 8, kMostLabels = 64;

  explicit BestPath(const Equation& equation) : count_(equation.terms.size()) {
    for (const auto& [label, length] : equation.lengths) {
      lengths_.push_back(static_cast<double>(length));
      bits_[label] = uint64_t{1} << (lengths_.size() - 1);
    }
    sets_.resize(size_t{1} << count_);
    for (size_t set = 1; set < sets_.size(); ++set) {
      sets_[set].labels = labels_of(equation, set) & needed_beside(equation, set);
      if ((set & (set - 1)) != 0) split(set);
    }
  }

  Path path() const {
    std::vector<size_t> terms;  // as sets of the first ones
    for (size_t i = 0; i < count_; ++i) terms.push_back(size_t{1} << i);
    Path path;
    multiply_out(sets_.size() - 1, terms, path);
    return path;
  }

 private:
  struct Set {
    uint64_t labels = 0;  // that are left of it
    double cost = 0;
    size_t part = 0;  // the last product is of this subset and the others
  };

  uint64_t labels_of(const Equation& equation, size_t set) const {
    uint64_t labels = 0;
    for (size_t i = 0; i < count_; ++i) {
      for (const int label : equation.terms[i].labels) {
        if (set >> i & 1) labels |= bits_.at(label);
      }
    }
    return labels;
  }

  uint64_t needed_beside(const Equation& equation, size_t set) const {
    uint64_t needed = labels_of(equation, ~set);
    for (const int label : equation.result) needed |= bits_.at(label);
    return needed;
  }

  double size_of_all(uint64_t labels) const {
    double size = 1;
    for (size_t i = 0; i < lengths_.size(); ++i) size *= labels >> i & 1 ? lengths_[i] : 1;
    return size;
  }

  void split(size_t set) {
    Set& best = sets_[set];
    best.cost = std::numeric_limits<double>::infinity();
    // Each split once: the part that has the first term.
    for (size_t part = (set - 1) & set; part != 0; part = (part - 1) & set) {
      if ((part & set & (~set + 1)) == 0) continue;
      const Set &left = sets_[part], &right = sets_[set ^ part];
      const double cost = left.cost + right.cost + size_of_all(left.labels | right.labels);
      if (cost < best.cost) best.cost = cost, best.part = part;
    }
  }

  void multiply_out(size_t set, std::vector<size_t>& terms, Path& path) const {
    if ((set & (set - 1)) == 0) return;
    const size_t parts[] = {sets_[set].part, set ^ sets_[set].part};
    for (const size_t part : parts) multiply_out(part, terms, path);
    size_t at[2];
    for (const int i : {0, 1}) {
      at[i] = static_cast<size_t>(std::find(terms.begin(), terms.end(), parts[i]) - terms.begin());
    }
    path.push_back(std::minmax(at[0], at[1]));
    terms.erase(terms.begin() + static_cast<ptrdiff_t>(path.back().second));
    terms.erase(terms.begin() + static_cast<ptrdiff_t>(path.back().first));
    terms.push_back(set);
  }

  size_t count_;
  std::map<int, uint64_t> bits_;
  std::vector<double> lengths_;
  std::vector<Set> sets_;
};

Path cheapest_path(const Equation& equation) {
  const bool few = equation.terms.size() <= BestPath::kMostTerms &&
                   equation.lengths.size() <= BestPath::kMostLabels;
  return few ? BestPath(equation).path() : greedy_path(equation);
}

Equation parsed(std::string_view text, const Arrays& operands) {
  if (operands.empty()) fail("[einsum] \"{}\": no operands", text);
  Equation equation = Parser(text, promoted(operands)).parse();
  for (Term& term : equation.terms) take_diagonals(term);
  return equation;
}

}  // namespace

std::vector<std::pair<size_t, size_t>> einsum_path(std::string_view equation,
                                                   const Arrays& operands) {
  return cheapest_path(parsed(equation, operands));
}

Array einsum(std::string_view text, const Arrays& operands) {
  Equation equation = parsed(text, operands);
  std::vector<Term>& terms = equation.terms;
  for (const auto& [i, k] : cheapest_path(equation)) {
    std::vector<Labels> labels;
    for (const Term& term : terms) labels.push_back(term.labels);
    Term product = multiply_terms(terms[i], terms[k], needed_beside(labels, equation.result, i, k),
                                  equation.lengths);
    terms.erase(terms.begin() + static_cast<ptrdiff_t>(k));
    terms.erase(terms.begin() + static_cast<ptrdiff_t>(i));
    terms.push_back(std::move(product));
  }
  sum_over(terms[0], equation.result);
  Shape shape;
  for (const int label : equation.result) shape.push_back(equation.lengths.at(label));
  return broadcast_to(arranged(terms[0], equation.result), shape);
}

}  // namespace mica
