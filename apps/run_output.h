// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

namespace isthmus::app {

/// Draws the figures of a run into its directory: figure.svg, and profile.svg for one path.
void write_figures(const std::filesystem::path& folder);

/// Prints the tables of a run, or its summary as JSON.
void print_run(const std::filesystem::path& folder, bool json);

}  // namespace isthmus::app
