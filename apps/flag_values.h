// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isthmus/train/train.h"

namespace isthmus::app {

/// TENSOR:STRENGTH,... Throws UsageError.
std::vector<WeightDecay> weight_decay_of(const std::string& text);

/// The numbers of A,B,... Throws UsageError that names the option.
std::vector<double> numbers_of(std::string_view option, std::string_view text);

}  // namespace isthmus::app
