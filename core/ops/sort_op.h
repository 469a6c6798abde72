// The ops behind sort.h: positions along the last axis. Values are then taken at the positions,
// so that gradients follow the values.
#pragma once

#include "core/graph/op.h"

namespace mica {

/// int32 positions that sort each row: ascending, stable, NaN last.
class Argsort final : public OpWith<Argsort> {
 public:
  static constexpr std::string_view kName = "argsort";
  NO_FIELDS(Argsort)
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// int32 positions of the k largest of each row, largest first, the first one among equals first.
class ArgTopK final : public OpWith<ArgTopK> {
 public:
  static constexpr std::string_view kName = "topk";
  int64_t k = 0;
  FIELDS(ArgTopK, k)
  explicit ArgTopK(int64_t count) : k(count) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

/// Sorted rows (..., n), values (..., m) -> int32 places (..., m) in the rows.
class SearchSorted final : public OpWith<SearchSorted> {
 public:
  static constexpr std::string_view kName = "searchsorted";
  bool right = false;
  FIELDS(SearchSorted, right)
  explicit SearchSorted(bool behind_equals) : right(behind_equals) {}
  Specs infer(std::span<const Spec> in) const override;
  Arrays vjp(const Arrays& in, const Arrays& out, const Arrays& g) const override;
  Arrays vmap(const Arrays& in, const Mapped& mapped) const override;
};

}  // namespace mica
