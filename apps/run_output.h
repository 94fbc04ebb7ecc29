// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "isthmus/core/json_fwd.h"
#include "isthmus/study/task.h"

namespace isthmus::app {

/// Puts the SHA-256 of given end points into a configuration: a run belongs to their content, not
/// to the names of their files.
void add_end_point_digests(const StudyOptions& options, Json& config);

/// Draws the figures of a run into its directory: figure.svg, and profile.svg for one path.
void write_figures(const std::filesystem::path& folder);

/// Prints the tables of a run, or its summary as JSON.
void print_run(const std::filesystem::path& folder, bool json);

}  // namespace isthmus::app
