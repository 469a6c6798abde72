// OpenBLAS and oneDNN bring thread pools of their own, which never start here: TBB runs their
// calls side by side, each on the one thread it is made from.
#pragma once

namespace mica {

/// Call on any thread before it enters OpenBLAS or oneDNN (creating primitives included). After
/// the first time it costs a test of a thread-local flag.
void use_one_library_thread();

}  // namespace mica
