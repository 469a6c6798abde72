#include "data/duplicates.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>

#include "data/row_hash.h"
#include "data/split.h"

namespace mica::data {
namespace {

constexpr size_t kExamples = 10;
constexpr size_t kExamplePlaces = 5;

struct Row {
  uint64_t hash = 0;
  size_t rank = 0;  // of its split in the order given
  const Split* split = nullptr;
  size_t row = 0;
};
using Group = std::vector<Row>;

std::span<const std::byte> bytes_of(const HostTensor& tensor, size_t row) {
  const size_t bytes = tensor.row_bytes();
  return std::span(tensor.bytes).subspan(row * bytes, bytes);
}

bool equal(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}
bool equal_x(const Row& a, const Row& b) {
  return equal(bytes_of(a.split->x, a.row), bytes_of(b.split->x, b.row));
}
bool equal_y(const Row& a, const Row& b) {
  return equal(bytes_of(a.split->y, a.row), bytes_of(b.split->y, b.row));
}

/// Calls visit for every set of several rows of one x, in it in order of splits and rows. Sets come
/// in order of their first rows.
void for_each_group(const std::map<std::string, Split>& splits,
                    const std::vector<std::string>& order,
                    const std::function<void(const Group&)>& visit) {
  std::vector<Row> rows;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const auto found = splits.find(order[rank]);
    if (found == splits.end() || found->second.rows() == 0) continue;
    const std::vector<uint64_t> hashes = row_hashes(found->second.x, 0);
    for (size_t row = 0; row < hashes.size(); ++row) {
      rows.push_back({hashes[row], rank, &found->second, row});
    }
  }
  // Stable: rows of one hash stay in order.
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.hash < b.hash; });
  std::vector<Group> groups;
  for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    while (end < rows.size() && rows[end].hash == rows[begin].hash) ++end;
    if (end - begin < 2) continue;
    std::vector<Group> alike;  // one, unless different rows share a hash
    for (size_t i = begin; i < end; ++i) {
      const auto group = std::find_if(alike.begin(), alike.end(),
                                      [&](const Group& g) { return equal_x(g[0], rows[i]); });
      if (group == alike.end())
        alike.push_back({rows[i]});
      else
        group->push_back(rows[i]);
    }
    for (Group& group : alike) {
      if (group.size() > 1) groups.push_back(std::move(group));
    }
  }
  std::sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return std::pair(a[0].rank, a[0].row) < std::pair(b[0].rank, b[0].row);
  });
  for (const Group& group : groups) visit(group);
}

std::vector<std::string> names_of(const std::map<std::string, Split>& splits, bool test_first) {
  std::vector<std::string> order = {kUnsplit, "train", "val", "test"};
  if (test_first) std::reverse(order.begin(), order.end());
  std::erase_if(order, [&](const std::string& name) { return !splits.contains(name); });
  return order;
}

std::vector<RowPlace> places_of(const Group& group, const std::vector<std::string>& order) {
  std::vector<RowPlace> places;
  for (const Row& row : group) {
    if (places.size() == kExamplePlaces) break;
    const HostTensor& y = row.split->y;
    const bool labels = y.dtype == Dtype::kInt32;
    places.push_back(
        {order[row.rank], static_cast<int64_t>(row.row), labels ? y.as<int32_t>()[row.row] : -1});
  }
  return places;
}

}  // namespace

DuplicateReport find_duplicates(const std::map<std::string, Split>& splits) {
  const std::vector<std::string> order = names_of(splits, /*test_first=*/false);
  DuplicateReport report;
  std::vector<std::vector<RowPlace>> across, contradicting, others;
  for_each_group(splits, order, [&](const Group& group) {
    ++report.groups;
    report.extra += static_cast<int64_t>(group.size()) - 1;
    std::map<size_t, int64_t> rows;  // by split
    bool contradicts = false;
    for (const Row& row : group) {
      ++rows[row.rank];
      contradicts = contradicts || !equal_y(group[0], row);
    }
    for (auto one = rows.begin(); one != rows.end(); ++one) {
      if (one->second > 1) report.within[order[one->first]] += one->second - 1;
      for (auto other = std::next(one); other != rows.end(); ++other) {
        report.shared[order[one->first] + ", " + order[other->first]] += other->second;
      }
    }
    report.contradictions += contradicts ? 1 : 0;
    auto& examples = rows.size() > 1 ? across : contradicts ? contradicting : others;
    if (examples.size() < kExamples) examples.push_back(places_of(group, order));
  });
  for (auto* examples : {&across, &contradicting, &others}) {
    for (auto& places : *examples) {
      if (report.examples.size() < kExamples) report.examples.push_back(std::move(places));
    }
  }
  return report;
}

int64_t drop_duplicates(SourceData& data) {
  const std::vector<std::string> order = names_of(data.splits, /*test_first=*/true);
  std::map<size_t, std::set<size_t>> dropped;  // rows by split
  for_each_group(data.splits, order, [&](const Group& group) {
    Group kept;
    for (const Row& row : group) {
      const bool known = std::any_of(kept.begin(), kept.end(),
                                     [&](const Row& other) { return equal_y(other, row); });
      if (known)
        dropped[row.rank].insert(row.row);
      else
        kept.push_back(row);
    }
  });
  int64_t total = 0;
  for (const auto& [rank, rows] : dropped) {
    Split& split = data.splits[order[rank]];
    std::vector<int64_t> left;
    for (size_t row = 0; row < static_cast<size_t>(split.rows()); ++row) {
      if (!rows.contains(row)) left.push_back(static_cast<int64_t>(row));
    }
    total += static_cast<int64_t>(rows.size());
    if (!data.row_hashes.empty()) {
      std::vector<uint64_t> hashes;
      for (const int64_t row : left) hashes.push_back(data.row_hashes[static_cast<size_t>(row)]);
      data.row_hashes = std::move(hashes);
    }
    split = gather(split, left);
  }
  return total;
}

}  // namespace mica::data
