// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "isthmus/core/names.h"
#include "isthmus/strings/method.h"

namespace isthmus {

/// What is done about a string that fails between two end points below the threshold.
enum class RepairMode {
  none,
  /// Another way round: a third network C, put beside the middle of the chord in a random direction
  /// and trained to the level, then one string from A to C and, if that connects, one from C to B.
  restarts,
};

template <>
inline constexpr auto enum_names<RepairMode> = name_table<RepairMode>(
    "repair", {{RepairMode::none, "none"}, {RepairMode::restarts, "restarts"}});

/// Methods that the strict protocol repairs unless told otherwise: those that put beads where the
/// string fails. Comparators are as their authors left them, and a breadth-first string tells where
/// it parts.
constexpr bool repairs_by_default(Method method) {
  return method == Method::greedy || method == Method::constrained;
}

/// GreedyOptions::stagnation of strings that are repaired: one that is given up in time leaves more
/// to the next.
inline constexpr std::size_t stagnation_with_repair = 3;

struct RepairOptions {
  RepairMode mode = RepairMode::none;
  std::size_t tries = 3;  ///< >= 1
  /// C starts at the midpoint + rho |B - A| xi, xi a random unit vector normal to B - A; these in
  /// turn.
  std::array<double, 2> rho{0.3, 0.5};

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// A string, and what it took to find it.
struct RepairedString {
  /// The direct one, or the two legs of the try that connected, joined. Costs, trainings and steps
  /// are of everything that was tried; rounds and beads those of this string.
  StringSummary string;
  std::size_t tries = 0;  ///< of repair
  bool repaired = false;  ///< connected by one of them
};

/// Joins two end points as the method does, and repairs a string that fails: restarts until one
/// connects or the tries are over. Then, if the direct string ended for stagnation, it is grown
/// once more without that stop, so that whatever the method alone connects is connected; it is what
/// is returned. Limits of steps, seconds and beads are of all strings together: where nothing is
/// left of one, or the end points are the reason of the failure, nothing is tried. Try k, counted
/// from 1, keeps its beads in the parts "tryK", "tryK-left" and "tryK-right" of the journal, the
/// last string in "patient". Otherwise as connect().
RepairedString connect_repaired(Evaluators& evaluators,
                                std::span<const float> a,
                                std::span<const float> b,
                                const MethodOptions& options,
                                const RepairOptions& repair,
                                const StringCallbacks& callbacks = {});

}  // namespace isthmus
