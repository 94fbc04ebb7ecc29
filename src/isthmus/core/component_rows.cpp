// SPDX-License-Identifier: MIT
#include "isthmus/core/component_rows.h"

#include <fmt/format.h>

#include "isthmus/core/csv.h"

namespace isthmus {

std::string to_csv(const std::vector<ComponentsRow>& rows) {
  std::string text =
      "width,threshold,networks,reached,components,components_proven,pairs_tried,pairs_proven,"
      "pairs_sampled,pairs_failed,gradient_samples_beads,gradients,largest_barrier\n";
  for (const ComponentsRow& row : rows) {
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                        row.width ? std::to_string(*row.width) : "",
                        csv_number(row.threshold),
                        row.networks,
                        row.reached,
                        row.components,
                        row.components_proven,
                        row.pairs_tried,
                        row.pairs_proven,
                        row.pairs_sampled,
                        row.pairs_failed,
                        row.gradient_samples_beads,
                        csv_number(row.gradients),
                        csv_number(row.largest_barrier));
  }
  return text;
}

}  // namespace isthmus
