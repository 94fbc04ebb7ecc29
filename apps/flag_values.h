// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace isthmus::app {

/// The numbers of A,B,... Throws UsageError that names the option.
std::vector<double> numbers_of(std::string_view option, std::string_view text);

}  // namespace isthmus::app
