// SPDX-License-Identifier: MIT
#pragma once

#include "context.h"

namespace isthmus::app {

/// The subcommands of `isthmus theory`, a file each.
void add_theory_linear(CLI::App& theory, Context& context);

}  // namespace isthmus::app
