#include "core/base/error.h"

namespace mica {

void assertion_failed(const char* condition, const char* file, int line) {
  fail(ErrorKind::kRuntime, "internal error at {}:{}: {} does not hold (please report this)", file,
       line, condition);
}

}  // namespace mica
