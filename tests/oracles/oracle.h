// The functions that the scripts of this folder ask for by name.
#pragma once

#include <map>
#include <string>

#include "core/transform/grad.h"

namespace mica::oracles {

using Functions = std::map<std::string, ArraysFunction>;

Functions linalg_functions();
Functions numeric_functions();
Functions spatial_functions();
Functions network_functions();
Functions science_functions();

}  // namespace mica::oracles
