// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "parser.h"

namespace isthmus::app {

/// What commands that keep a run directory are told of it.
struct RunFlags {
  std::optional<std::string> out;
  bool resume = false;
  double checkpoint_seconds = 60.0;
  bool json = false;

  /// `folder`: the default one; `more`: what a resumed run may have more of; `printed`: as JSON.
  void add_run(Parser& command,
               const std::string& folder,
               const std::string& more,
               const std::string& printed);
};

}  // namespace isthmus::app
