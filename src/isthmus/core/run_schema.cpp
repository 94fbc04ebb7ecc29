// SPDX-License-Identifier: MIT
#include "isthmus/core/run_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "isthmus/core/csv.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"

namespace isthmus {
namespace {

// The bits of a number, all NaNs alike.
std::uint64_t bits(double value) {
  return std::isnan(value) ? ~std::uint64_t{0} : std::bit_cast<std::uint64_t>(value);
}

auto key(const CellRow& row) {
  return std::tuple(bits(row.threshold),
                    row.pair,
                    row.seed,
                    row.verdict,
                    bits(row.max_metric),
                    bits(row.max_t),
                    bits(row.normalized_length),
                    bits(row.normalized_length_weights),
                    row.beads,
                    row.beads_inserted,
                    row.rounds,
                    row.gradient_samples_endpoints,
                    row.gradient_samples_beads,
                    row.forward_samples_checks,
                    bits(row.max_metric_train),
                    row.proof,
                    bits(row.bound),
                    bits(row.check_evaluations));
}

auto key(const CurveRow& row) {
  return std::tuple(bits(row.threshold),
                    row.pairs,
                    row.connected,
                    bits(row.length_mean),
                    bits(row.length_sem),
                    bits(row.length_weights_mean),
                    bits(row.length_weights_sem),
                    bits(row.beads_mean),
                    bits(row.beads_sem));
}

std::vector<std::string_view> all_cell_columns() {
  std::vector<std::string_view> columns(cell_columns.begin(), cell_columns.end());
  columns.insert(columns.end(), proof_columns.begin(), proof_columns.end());
  return columns;
}

bool is_proof(std::string_view text) {
  const auto is_grid = [text](std::string_view how) {
    return text.starts_with(how) && text.size() > how.size() &&
           text.find_first_not_of("0123456789", how.size()) == std::string_view::npos;
  };
  return text.empty() || text == "proven" || is_grid("sampled:") || is_grid("screened:");
}

// The threshold of a row: the one real number that may not be missing.
double threshold_of(const CsvTable& table, std::size_t row) {
  const double value = table.number(row, 0);
  if (std::isnan(value)) {
    table.refuse(row, 0, "a finite number");
  }
  return value;
}

CurveRow summarize(double threshold, const CellRow* first, const CellRow* last) {
  std::vector<double> length;
  std::vector<double> length_weights;
  std::vector<double> beads;
  for (const CellRow* cell = first; cell != last; ++cell) {
    if (cell->verdict == Verdict::connected) {
      length.push_back(cell->normalized_length);
      length_weights.push_back(cell->normalized_length_weights);
      beads.push_back(static_cast<double>(cell->beads));
    }
  }
  const MeanError all = mean_error(length);
  const MeanError weights = mean_error(length_weights);
  const MeanError count = mean_error(beads);
  return {.threshold = threshold,
          .pairs = static_cast<std::size_t>(last - first),
          .connected = beads.size(),
          .length_mean = all.mean,
          .length_sem = all.error,
          .length_weights_mean = weights.mean,
          .length_weights_sem = weights.error,
          .beads_mean = count.mean,
          .beads_sem = count.error};
}

}  // namespace

std::string path_file_name(double threshold, std::size_t pair) {
  return fmt::format("{}_{}.safetensors", format_number(threshold), pair);
}

bool CellRow::operator==(const CellRow& other) const {
  return key(*this) == key(other);
}

bool CurveRow::operator==(const CurveRow& other) const {
  return key(*this) == key(other);
}

void sort_cells(std::vector<CellRow>& cells) {
  std::stable_sort(cells.begin(), cells.end(), [](const CellRow& a, const CellRow& b) {
    return std::tuple(-a.threshold, a.pair) < std::tuple(-b.threshold, b.pair);
  });
}

std::string to_csv(std::vector<CellRow> cells) {
  sort_cells(cells);
  const std::vector<std::string_view> columns = all_cell_columns();
  std::string text = csv_line(columns);
  for (const CellRow& row : cells) {
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                        csv_number(row.threshold),
                        row.pair,
                        row.seed,
                        name_of(row.verdict),
                        csv_number(row.max_metric),
                        csv_number(row.max_t),
                        csv_number(row.normalized_length),
                        csv_number(row.normalized_length_weights),
                        row.beads,
                        row.beads_inserted,
                        row.rounds,
                        row.gradient_samples_endpoints,
                        row.gradient_samples_beads,
                        row.forward_samples_checks,
                        csv_number(row.max_metric_train),
                        row.proof,
                        std::isnan(row.bound) ? "" : csv_number(row.bound),
                        csv_number(row.check_evaluations));
  }
  return text;
}

std::string to_csv(const std::vector<CurveRow>& curve) {
  std::string text = csv_line(curve_columns);
  for (const CurveRow& row : curve) {
    text += fmt::format("{},{},{},{},{},{},{},{},{}\n",
                        csv_number(row.threshold),
                        row.pairs,
                        row.connected,
                        csv_number(row.length_mean),
                        csv_number(row.length_sem),
                        csv_number(row.length_weights_mean),
                        csv_number(row.length_weights_sem),
                        csv_number(row.beads_mean),
                        csv_number(row.beads_sem));
  }
  return text;
}

std::vector<CellRow> parse_cells(std::string_view text, const std::string& name) {
  CsvTable table = CsvTable::parse(text, name, cell_columns);
  const bool with_proofs = table.columns() > cell_columns.size();
  if (with_proofs) {
    table = CsvTable::parse(text, name, all_cell_columns());
  }
  std::vector<CellRow> cells;
  std::set<std::pair<double, std::size_t>> seen;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const std::optional<Verdict> verdict = find_named<Verdict>(table.text(i, 3));
    if (!verdict) {
      table.refuse(i, 3, "\"connected\", \"not_connected\" or \"endpoint_not_reached\"");
    }
    cells.push_back({.threshold = threshold_of(table, i),
                     .pair = table.integer(i, 1),
                     .seed = table.integer(i, 2),
                     .verdict = *verdict,
                     .max_metric = table.number(i, 4),
                     .max_t = table.number(i, 5),
                     .normalized_length = table.number(i, 6),
                     .normalized_length_weights = table.number(i, 7),
                     .beads = table.integer(i, 8),
                     .beads_inserted = table.integer(i, 9),
                     .rounds = table.integer(i, 10),
                     .gradient_samples_endpoints = table.integer(i, 11),
                     .gradient_samples_beads = table.integer(i, 12),
                     .forward_samples_checks = table.integer(i, 13),
                     .max_metric_train = table.number(i, 14)});
    if (with_proofs) {
      const std::size_t first = cell_columns.size();
      cells.back().proof = table.text(i, first);
      if (!is_proof(cells.back().proof)) {
        table.refuse(i, first, "\"proven\", \"screened:N\" or \"sampled:N\"");
      }
      cells.back().bound = table.number(i, first + 1);
      cells.back().check_evaluations = table.number(i, first + 2);
    }
    if (!seen.emplace(cells.back().threshold, cells.back().pair).second) {
      table.refuse(i, 1, "each pair once at a threshold");
    }
  }
  return cells;
}

std::vector<CurveRow> parse_curve(std::string_view text, const std::string& name) {
  const CsvTable table = CsvTable::parse(text, name, curve_columns);
  std::vector<CurveRow> curve;
  std::set<double> seen;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    curve.push_back({.threshold = threshold_of(table, i),
                     .pairs = table.integer(i, 1),
                     .connected = table.integer(i, 2),
                     .length_mean = table.number(i, 3),
                     .length_sem = table.number(i, 4),
                     .length_weights_mean = table.number(i, 5),
                     .length_weights_sem = table.number(i, 6),
                     .beads_mean = table.number(i, 7),
                     .beads_sem = table.number(i, 8)});
    if (!seen.insert(curve.back().threshold).second) {
      table.refuse(i, 0, "each threshold once");
    }
    if (curve.back().connected > curve.back().pairs) {
      table.refuse(i, 2, fmt::format("at most the {} pairs tried", curve.back().pairs));
    }
  }
  return curve;
}

std::vector<CurveRow> curve_of(std::vector<CellRow> cells) {
  sort_cells(cells);
  std::vector<CurveRow> curve;
  const CellRow* const end = cells.data() + cells.size();
  for (const CellRow* first = cells.data(); first != end;) {
    const double threshold = first->threshold;
    const CellRow* const last = std::find_if(
        first + 1, end, [threshold](const CellRow& cell) { return cell.threshold != threshold; });
    curve.push_back(summarize(threshold, first, last));
    first = last;
  }
  return curve;
}

MeanError mean_error(const std::vector<double>& values) {
  MeanError result;
  double sum = 0;
  for (const double value : values) {
    if (std::isfinite(value)) {
      sum += value;
      ++result.count;
    }
  }
  if (result.count == 0) {
    return result;
  }
  const auto n = static_cast<double>(result.count);
  result.mean = sum / n;
  if (result.count < 2) {
    return result;
  }
  double squares = 0;
  for (const double value : values) {
    if (std::isfinite(value)) {
      squares += (value - result.mean) * (value - result.mean);
    }
  }
  result.error = std::sqrt(squares / (n - 1) / n);
  return result;
}

}  // namespace isthmus
