// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "isthmus/core/json_fwd.h"

namespace isthmus {

/// A share of a study, for several processes or machines: pairs k with k mod count = index. The
/// files of a pair do not depend on who computes it.
struct StudyPart {
  std::size_t index = 0;  ///< < count
  std::size_t count = 1;

  bool whole() const { return count == 1; }
  bool has(std::size_t pair) const { return pair % count == index; }
  /// "2/8": part 2 of 8, counted from 0. Throws UsageError.
  static StudyPart of(std::string_view text);
};

/// Where the runs of a run's parts are: RUN.parts, a folder in it for each.
std::filesystem::path parts_folder(const std::filesystem::path& run);
std::filesystem::path part_folder(const std::filesystem::path& run, const StudyPart& part);

/// Takes the finished cells with their paths, and the states of end points, out of the runs of
/// parts beside `run` into it. What it has already is kept. Returns how many cells it took. Throws
/// as RunDirectory does for a part of another configuration, or one that a process works on;
/// WriteError.
std::size_t take_parts(const std::filesystem::path& run, const Json& config);

/// Removes the runs of parts: everything in them was taken.
void forget_parts(const std::filesystem::path& run);

}  // namespace isthmus
