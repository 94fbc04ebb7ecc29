// SPDX-License-Identifier: MIT
#include "isthmus/core/component_rows.h"

#include <fmt/format.h>

#include <array>

#include "isthmus/core/csv.h"

namespace isthmus {
namespace {

constexpr std::array<std::string_view, 13> columns{"width",
                                                   "threshold",
                                                   "networks",
                                                   "reached",
                                                   "components",
                                                   "components_proven",
                                                   "pairs_tried",
                                                   "pairs_proven",
                                                   "pairs_sampled",
                                                   "pairs_failed",
                                                   "gradient_samples_beads",
                                                   "gradients",
                                                   "largest_barrier"};

}  // namespace

std::string to_csv(const std::vector<ComponentsRow>& rows) {
  std::string text = csv_line(columns);
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

std::vector<ComponentsRow> parse_components(std::string_view text, const std::string& name) {
  const CsvTable table = CsvTable::parse(text, name, columns);
  std::vector<ComponentsRow> rows(table.rows());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ComponentsRow& row = rows[i];
    if (!table.text(i, 0).empty()) {
      row.width = table.integer(i, 0);
    }
    row.threshold = table.number(i, 1);
    std::size_t column = 2;
    for (std::size_t* count : {&row.networks,
                               &row.reached,
                               &row.components,
                               &row.components_proven,
                               &row.pairs_tried,
                               &row.pairs_proven,
                               &row.pairs_sampled,
                               &row.pairs_failed}) {
      *count = table.integer(i, column++);
    }
    row.gradient_samples_beads = table.integer(i, column++);
    row.gradients = table.number(i, column++);
    row.largest_barrier = table.number(i, column);
  }
  return rows;
}

}  // namespace isthmus
