// Where an Hdf5Reader gets its answers: an HDF5 file opened in this process or in another. For
// core/io only.
//
//   std::unique_ptr<Hdf5Source> source = has_good_seal(path) ? open_hdf5_here(path)
//                                                             : open_hdf5_apart(path);
//   Hdf5Answer answer = source->ask({Hdf5Query::kList, "/model"});
//
// HDF5 1.10 crashes, hangs or runs out of memory on damaged files. Files that Mica wrote end in a
// seal, a checksum of everything before it, and are opened here when it holds. All others are
// opened in a child process with limits on its time and memory, which answers over a socket: what
// happens to it becomes one Error(kData). The seal guards against damage, not against forgery.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/graph/op.h"
#include "core/io/host_tensor.h"

namespace mica {

enum class Hdf5Query : uint8_t {
  kKind,            // number: 0 nothing, 1 group, 2 dataset
  kList,            // texts: the members of a group
  kDatasets,        // texts: every dataset of the file
  kSpec,            // number: 1 if of a type of Mica; tensor: shape and dtype without values
  kTexts,           // texts; number: 1 if it holds texts
  kHasAttribute,    // number: 0 or 1
  kAttribute,       // tensor
  kAttributeTexts,  // texts; number: 1 if it holds texts
  kOffset           // number: where a dataset's bytes begin, -1 if they lie not as in memory
};

struct Hdf5Question {
  Hdf5Query query;
  std::string object, name = {};
};
struct Hdf5Answer {
  int64_t number = 0;
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  std::vector<std::string> texts;
  std::vector<std::byte> bytes;
};

class Hdf5Source {
 public:
  virtual ~Hdf5Source() = default;
  virtual Hdf5Answer ask(const Hdf5Question& question) = 0;
  /// Rows [begin, begin + count) of a dataset of this spec to `out`; all of a scalar.
  virtual void read(const std::string& name, const Spec& spec, int64_t begin, int64_t count,
                    std::byte* out) = 0;
};

/// Throw Error(kData) if the file is no HDF5 file or damaged.
std::unique_ptr<Hdf5Source> open_hdf5_here(const std::string& path);
std::unique_ptr<Hdf5Source> open_hdf5_apart(const std::string& path);

/// What a file of these bytes ends in.
std::string make_seal(std::span<const std::byte> image);
/// Whether the file has a seal. Throws Error(kData) if it has one that does not hold.
bool has_good_seal(const std::string& path);

}  // namespace mica
