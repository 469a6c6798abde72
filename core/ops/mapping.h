// What the vmap rules of ops share. Each takes a rule's arguments: inputs, and which of them are
// mapped, that is, have the mapped axis in front of their own.
//
//   Arrays MatMul::vmap(const Arrays& in, const Mapped& mapped) const {
//     const Arrays aligned = with_equal_ranks(in, mapped);
//     return {matmul(aligned[0], aligned[1])};
//   }
#pragma once

#include <memory>

#include "core/graph/op.h"

namespace mica {

/// The length of the mapped axis.
int64_t mapped_length(const Arrays& in, const Mapped& mapped);

/// All inputs mapped: the others are repeated along the mapped axis, as views.
Arrays all_mapped(const Arrays& in, const Mapped& mapped);

/// Mapped inputs get axes of length 1 behind the mapped one, as many as it takes to let them
/// broadcast with the others as their own axes would. Undefined inputs stay.
Arrays with_equal_ranks(const Arrays& in, const Mapped& mapped);

/// The op position by position, the outputs stacked: right for any op, fast for none.
Arrays map_by_loop(std::shared_ptr<const Op> op, const Arrays& in, const Mapped& mapped);
template <class T>
  requires std::derived_from<T, Op> Arrays map_by_loop(const T& op, const Arrays& in,
                                                       const Mapped& mapped) {
    return map_by_loop(std::shared_ptr<const Op>(std::make_shared<const T>(op)), in, mapped);
  }

/// An op on batches whose first axis it does not look along: the mapped axis joins it.
Arrays map_in_batch(std::shared_ptr<const Op> op, const Arrays& in, const Mapped& mapped);
template <class T>
  requires std::derived_from<T, Op> Arrays map_in_batch(const T& op, const Arrays& in,
                                                        const Mapped& mapped) {
    return map_in_batch(std::shared_ptr<const Op>(std::make_shared<const T>(op)), in, mapped);
  }

/// (B, N, ...) as (B N, ...), and back.
Array merge_first_axes(const Array& x);
Array split_first_axis(const Array& x, int64_t length, int64_t rows);
/// (B, ..., C) as (..., B C), and back.
Array mapped_to_channels(const Array& x);
Array channels_to_mapped(const Array& x, int64_t length, int64_t channels);

}  // namespace mica
