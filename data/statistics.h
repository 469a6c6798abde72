// Mean and standard deviation of a training split.
//
//   set_statistics(info, train);      // info.mean, info.std, info.target_mean, info.target_std
#pragma once

#include "data/dataset.h"
#include "data/prepare.h"

namespace mica::data {

/// Each has one number for every entry of the last axis.
using Statistics = SplitStatistics;

/// Population mean and standard deviation, least and greatest value over all axes but the last.
/// uint8 values are counted, so that their statistics are exact and do not depend on the order of
/// the rows; float32 values are summed in row order in double precision, in two passes. REQUIRES:
/// at least one row.
Statistics statistics_of(const HostTensor& values);

/// Those of x and, for regression, of y.
void set_statistics(DatasetInfo& info, const Split& train);

}  // namespace mica::data
