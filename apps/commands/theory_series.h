// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "parser.h"

namespace isthmus::app {

/// The options that end every subcommand of `isthmus theory`: random instances in series.
struct SeriesFlags {
  std::size_t instances = 1;
  std::uint64_t seed = 1;
  std::size_t threads = 1;
  bool json = false;

  /// --instances, --seed, --threads and --json; `what` is a random one of.
  void add(Parser& parser, const char* what);
  /// Throws UsageError that names the option.
  void check() const;
  /// Calls work(i) for each instance, on the workers asked for.
  void for_each(const std::function<void(std::size_t)>& work) const;
};

}  // namespace isthmus::app
