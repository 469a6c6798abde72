// Evaluation of graphs whose ops belong to several streams.
//
//   for (const Piece& piece : pieces_by_stream(roots)) ...   // compute piece.arrays on
//   piece.stream
//
// The graph is cut where an op reads what another stream computes. Pieces come after those they
// depend on; those of different streams that do not depend on each other may run at once.
#pragma once

#include <vector>

#include "core/graph/array.h"
#include "core/runtime/stream.h"

namespace mica {

struct Piece {
  Stream* stream;
  Arrays arrays;  // what other pieces read, and roots
};

/// REQUIRES: `roots` are pending.
std::vector<Piece> pieces_by_stream(const Arrays& roots);

/// Work that has to wait for other work.
struct Job {
  std::function<void()> work;
  EventPtr done;
  std::vector<EventPtr> after;  // of other events, however they end
};
/// Runs the jobs, each when those it waits for have ended, and returns when all have. The calling
/// thread works along. What a job throws goes into its event.
void run_jobs(std::vector<Job> jobs);

}  // namespace mica
