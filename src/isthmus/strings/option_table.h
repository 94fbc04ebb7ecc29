// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/core/options.h"
#include "isthmus/strings/greedy.h"

namespace isthmus {

/// What every string method is told, in the order of config.json, but for threshold, training, seed
/// and stream.
const OptionTable<StringOptions>& string_option_table();

/// What greedy sampling alone is told.
const OptionTable<GreedyOptions>& greedy_option_table();

}  // namespace isthmus
