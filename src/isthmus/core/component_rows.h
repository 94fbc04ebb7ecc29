// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/run_schema.h"

namespace isthmus {

/// The format of the run directories of `isthmus components` (docs/components.md).
inline constexpr std::string_view components_format = "isthmus-components-1";

/// One row of components.csv: some networks at one threshold. Components are of the networks that
/// reached it. A pair that failed proves nothing, so `components` is the most that there can be:
/// the truth lies between 1 and it.
struct ComponentsRow {
  std::optional<std::size_t> width{};  ///< hidden units of each layer, where all have as many
  double threshold = 0;                ///< L0, in the metric's unit; finite
  std::size_t networks = 0;            ///< trained
  std::size_t reached = 0;             ///< of these, at or below the threshold
  std::size_t components = 0;          ///< of those, under all pairs that connected
  std::size_t components_proven = 0;   ///< under the pairs whose path is proven alone
  std::size_t pairs_tried = 0;
  std::size_t pairs_proven = 0;   ///< connected, by a path with a proof
  std::size_t pairs_sampled = 0;  ///< connected, by a path that was looked at on a grid
  std::size_t pairs_failed = 0;   ///< no path was found: this proves nothing
  std::uint64_t gradient_samples_beads = 0;
  double gradients = no_value;        ///< the same in passes over the training set
  double largest_barrier = no_value;  ///< the largest minimax barrier between two of `reached`
};

/// The text of components.csv, rows as they come.
std::string to_csv(const std::vector<ComponentsRow>& rows);

/// Reads it back; `name` is what errors call it. Throws DataError.
std::vector<ComponentsRow> parse_components(std::string_view text, const std::string& name);

}  // namespace isthmus
