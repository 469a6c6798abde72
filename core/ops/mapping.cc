#include "core/ops/mapping.h"

#include "core/ops/view.h"

namespace mica {

int64_t mapped_length(const Arrays& in, const Mapped& mapped) {
  for (size_t i = 0; i < in.size(); ++i) {
    if (mapped[i]) return in[i].dim(0);
  }
  MICA_ASSERT(false);
  return 0;
}

Arrays all_mapped(const Arrays& in, const Mapped& mapped) {
  const int64_t length = mapped_length(in, mapped);
  Arrays out;
  for (size_t i = 0; i < in.size(); ++i) {
    if (mapped[i]) {
      out.push_back(in[i]);
      continue;
    }
    Shape shape = in[i].shape();
    shape.insert(shape.begin(), length);
    out.push_back(broadcast_to(in[i], shape));
  }
  return out;
}

Arrays with_equal_ranks(const Arrays& in, const Mapped& mapped) {
  int most = 0;
  for (size_t i = 0; i < in.size(); ++i) most = std::max(most, in[i].rank() - (mapped[i] ? 1 : 0));
  Arrays out;
  for (size_t i = 0; i < in.size(); ++i) {
    const Shape& own = in[i].shape();
    if (!mapped[i] || in[i].rank() == most + 1) {
      out.push_back(in[i]);
      continue;
    }
    Shape shape = {own[0]};
    for (int axis = in[i].rank(); axis <= most; ++axis) shape.push_back(1);
    shape.append(own.begin() + 1, own.end());
    out.push_back(reshape(in[i], shape));
  }
  return out;
}

Arrays map_by_loop(std::shared_ptr<const Op> op, const Arrays& in, const Mapped& mapped) {
  const int64_t length = mapped_length(in, mapped);
  if (length == 0) {
    fail("[vmap] {} has no rule for a mapped axis of length 0", op->name());
  }
  std::vector<Arrays> by_output;
  for (int64_t k = 0; k < length; ++k) {
    Arrays at;
    for (size_t i = 0; i < in.size(); ++i) {
      at.push_back(mapped[i] ? squeeze(slice_axis(in[i], 0, k, k + 1), {0}) : in[i]);
    }
    const Arrays outputs = apply_all(op, at);
    by_output.resize(outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) by_output[i].push_back(outputs[i]);
  }
  Arrays stacked;
  for (const Arrays& outputs : by_output) stacked.push_back(stack(outputs, 0));
  return stacked;
}

Arrays map_in_batch(std::shared_ptr<const Op> op, const Arrays& in, const Mapped& mapped) {
  Arrays merged;
  const Arrays all = all_mapped(in, mapped);
  for (const Array& x : all) merged.push_back(merge_first_axes(x));
  Arrays out;
  for (const Array& y : apply_all(std::move(op), merged)) {
    out.push_back(split_first_axis(y, all[0].dim(0), all[0].dim(1)));
  }
  return out;
}

Array merge_first_axes(const Array& x) { return flatten(x, 0, 1); }

Array split_first_axis(const Array& x, int64_t length, int64_t rows) {
  Shape shape = {length, rows};
  shape.append(x.shape().begin() + 1, x.shape().end());
  return reshape(x, shape);
}

Array mapped_to_channels(const Array& x) { return flatten(moveaxis(x, 0, -2), -2, -1); }

Array channels_to_mapped(const Array& x, int64_t length, int64_t channels) {
  Shape shape = x.shape();
  shape.back() = channels;
  shape.insert(shape.end() - 1, length);
  return moveaxis(reshape(x, shape), -2, 0);
}

}  // namespace mica
