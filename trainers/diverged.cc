#include "trainers/diverged.h"

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/ops/view.h"
#include "nn/container.h"
#include "nn/precision.h"

namespace mica::trainers {
namespace {

constexpr size_t kRowsShown = 8;

bool is_finite(const Array& values) { return all(isfinite(values)).item<bool>(); }

// "rows 17, 212 of the training split", "all 128 rows of the batch"
std::string rows_text(const Array& values, const data::Batch& batch) {
  const Array good = all(isfinite(reshape(values, {values.dim(0), -1})), {1});
  const std::vector<bool> finite = [&] {
    std::vector<bool> flags;
    for (const int32_t flag : astype(good, int32).to_vector<int32_t>()) flags.push_back(flag != 0);
    return flags;
  }();
  std::string text;
  size_t count = 0;
  for (size_t i = 0; i < finite.size() && i < batch.rows.size(); ++i) {
    if (finite[i]) continue;
    if (++count <= kRowsShown) text += fmt::format("{}{}", count == 1 ? "" : ", ", batch.rows[i]);
  }
  if (count == finite.size()) return fmt::format("all {} rows of the batch", count);
  if (count > kRowsShown) text += fmt::format(" and {} more", count - kRowsShown);
  return fmt::format("row{} {} of the training split", count == 1 ? "" : "s", text);
}

class Search {
 public:
  explicit Search(const data::Batch& batch) : batch_(batch) {}

  // The output of the module; found() says whether it or one below gave something not finite.
  Array run(nn::Module& module, const std::string& name, const Array& x) {
    if (auto* layers = dynamic_cast<nn::Sequential*>(&module)) {
      Array y = x;
      for (const nn::Member& member : layers->members()) {
        y = run(*std::get<nn::Module*>(member.value), join(name, member.name), y);
        if (!found_.empty()) return y;
      }
      return y;
    }
    if (auto* residual = dynamic_cast<nn::Residual*>(&module)) {
      run(*residual->body, join(name, "body"), x);
      if (!found_.empty()) return x;
    }
    const Array y = module.forward(x);
    if (is_finite(y)) return y;
    found_ = fmt::format("layer {} ({}) gives inf or nan for {}", name, module.type_name(),
                         rows_text(y, batch_));
    return y;
  }

  const std::string& found() const { return found_; }

 private:
  static std::string join(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  const data::Batch& batch_;
  std::string found_;
};

}  // namespace

std::string find_not_finite(nn::Module& network, const data::Batch& batch, const Array& key,
                            const std::string& precision) {
  if (!is_finite(batch.x)) {
    return fmt::format("the input holds inf or nan in {}", rows_text(batch.x, batch));
  }
  for (const auto& [name, parameter] : network.named_parameters()) {
    if (!is_finite(*parameter)) {
      return fmt::format("parameter {} holds inf or nan since an update before", name);
    }
  }
  // Running statistics move in forward.
  const nn::NamedArrays before = network.state();
  const random::KeyScope drawing(key);
  const nn::PrecisionScope products(precision == "bf16" ? bfloat16 : float32);
  Search search(batch);
  search.run(network, "", batch.x);
  network.load_state(before);
  return search.found().empty() ? "the outputs are finite, the loss of them is not"
                                : search.found();
}

}  // namespace mica::trainers
