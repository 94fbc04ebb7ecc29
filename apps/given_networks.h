// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "study_flags.h"

namespace isthmus::app {

/// The study that some files of networks belong to: of the task that comes before them, of
/// --network, or else of the task that the first file names. `files` are then `count` files. Throws
/// UsageError that begins with `command`, and as StudyFlags::options.
StudyOptions study_of(const StudyFlags& flags,
                      std::vector<std::string>& files,
                      std::size_t count,
                      std::string_view command);

/// The parameters in a file; what was not as the network has it is told on standard error.
std::vector<float> read_given(const std::string& file, const Network& network);

}  // namespace isthmus::app
