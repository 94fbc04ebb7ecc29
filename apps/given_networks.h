// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/study/endpoints.h"
#include "study_flags.h"

namespace isthmus::app {

/// The study that some files of networks belong to: of the task that comes before them, of
/// --network, or else of the task that the first file names. `files` are then `count` files. Throws
/// UsageError that begins with `command`, and as StudyFlags::options.
StudyOptions study_of(const StudyFlags& flags,
                      std::vector<std::string>& files,
                      std::size_t count,
                      std::string_view command);

/// Adds --names, a file that says which tensor of a file is which of the network.
Flag add_names(Parser& parser, std::optional<std::string>& names);

/// The network in a file; what was not as the network has it is told on standard error. Throws as
/// read_tensor_names and read_network_weights.
LoadedNetwork read_given(const std::string& file,
                         const Network& network,
                         const std::optional<std::string>& names);

}  // namespace isthmus::app
