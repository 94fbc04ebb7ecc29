// SPDX-License-Identifier: MIT
#include "isthmus/core/run_schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>
#include <variant>

#include "isthmus/core/csv.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"

namespace isthmus {
namespace {

// A column: its heading and what it shows of a row. What the tables are written, read and compared
// by, in the order of the files.
template <class Row>
struct Column {
  std::string_view heading;
  std::variant<double Row::*, std::uint64_t Row::*, std::string Row::*, Verdict Row::*> member;
  bool may_be_empty = false;  // rather than "nan"
};

constexpr std::array<Column<CellRow>, 21> cell_columns{{
    {"threshold", &CellRow::threshold},
    {"pair", &CellRow::pair},
    {"seed", &CellRow::seed},
    {"verdict", &CellRow::verdict},
    {"max_metric", &CellRow::max_metric},
    {"max_t", &CellRow::max_t},
    {"normalized_length", &CellRow::normalized_length},
    {"normalized_length_weights", &CellRow::normalized_length_weights},
    {"beads", &CellRow::beads},
    {"beads_inserted", &CellRow::beads_inserted},
    {"rounds", &CellRow::rounds},
    {"gradient_samples_endpoints", &CellRow::gradient_samples_endpoints},
    {"gradient_samples_beads", &CellRow::gradient_samples_beads},
    {"forward_samples_checks", &CellRow::forward_samples_checks},
    {"max_metric_train", &CellRow::max_metric_train},
    {"proof", &CellRow::proof},
    {"bound", &CellRow::bound, true},
    {"check_evaluations", &CellRow::check_evaluations},
    {"joined", &CellRow::joined},
    {"tries", &CellRow::tries},
    {"aligned", &CellRow::aligned},
}};

// Tables of earlier versions end here.
constexpr std::size_t proof_column = 15;
constexpr std::size_t joined_column = 18;
constexpr std::array<std::size_t, 2> earlier_cell_columns{15, 18};  // without proofs; repair
constexpr std::array<std::size_t, 1> earlier_curve_columns{9};      // without repair

constexpr std::array<Column<CurveRow>, 10> curve_columns{{
    {"threshold", &CurveRow::threshold},
    {"pairs", &CurveRow::pairs},
    {"connected", &CurveRow::connected},
    {"length_mean", &CurveRow::length_mean},
    {"length_sem", &CurveRow::length_sem},
    {"length_weights_mean", &CurveRow::length_weights_mean},
    {"length_weights_sem", &CurveRow::length_weights_sem},
    {"beads_mean", &CurveRow::beads_mean},
    {"beads_sem", &CurveRow::beads_sem},
    {"direct", &CurveRow::direct},
}};

template <class Row>
std::vector<std::string_view> headings(std::span<const Column<Row>> columns) {
  std::vector<std::string_view> all;
  std::ranges::transform(columns, std::back_inserter(all), &Column<Row>::heading);
  return all;
}

std::string field(double value, bool may_be_empty) {
  return may_be_empty && std::isnan(value) ? "" : csv_number(value);
}
std::string field(std::uint64_t value, bool) {
  return fmt::to_string(value);
}
std::string field(const std::string& value, bool) {
  return value;
}
std::string field(Verdict value, bool) {
  return std::string(name_of(value));
}

template <class Row>
std::string to_csv(std::span<const Row> rows, std::span<const Column<Row>> columns) {
  std::string text = csv_line(headings(columns));
  std::vector<std::string> fields;
  for (const Row& row : rows) {
    fields.clear();
    for (const Column<Row>& column : columns) {
      fields.push_back(std::visit(
          [&](auto member) { return field(row.*member, column.may_be_empty); }, column.member));
    }
    text += fmt::format("{}\n", fmt::join(fields, ","));
  }
  return text;
}

// Fields of a table into the members of a row.
class FieldReader {
 public:
  FieldReader(const CsvTable& table, std::size_t row, std::size_t column)
      : table_(table), row_(row), column_(column) {}

  void read(double& value) const { value = table_.number(row_, column_); }
  void read(std::uint64_t& value) const { value = table_.integer(row_, column_); }
  void read(std::string& value) const { value = table_.text(row_, column_); }
  void read(Verdict& value) const {
    const std::optional<Verdict> verdict = find_named<Verdict>(table_.text(row_, column_));
    if (!verdict) {
      table_.refuse(row_, column_, "\"connected\", \"not_connected\" or \"endpoint_not_reached\"");
    }
    value = *verdict;
  }

 private:
  const CsvTable& table_;
  std::size_t row_;
  std::size_t column_;
};

template <class Row>
Row row_of(const CsvTable& table, std::size_t index, std::span<const Column<Row>> columns) {
  Row row;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    const FieldReader reader(table, index, column);
    std::visit([&](auto member) { reader.read(row.*member); }, columns[column].member);
  }
  // The threshold is the one real number that may not be missing.
  if (std::isnan(row.threshold)) {
    table.refuse(index, 0, "a finite number");
  }
  return row;
}

// A table, and those of the columns that it has: all, or as many as an earlier version wrote.
template <class Row>
std::pair<CsvTable, std::span<const Column<Row>>> read_table(std::string_view text,
                                                             const std::string& name,
                                                             std::span<const Column<Row>> columns,
                                                             std::span<const std::size_t> earlier) {
  const std::vector<std::string_view> all = headings<Row>(columns);
  std::size_t count = earlier.front();
  const std::size_t there = CsvTable::parse(text, name, std::span(all).first(count)).columns();
  for (const std::size_t known : earlier) {
    count = there >= known ? known : count;
  }
  count = there > earlier.back() ? all.size() : count;
  return {CsvTable::parse(text, name, std::span(all).first(count)), columns.first(count)};
}

// Equal bit for bit, all NaNs alike.
bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}
template <class Value>
bool same(const Value& a, const Value& b) {
  return a == b;
}

template <class Row>
bool same_row(const Row& a, const Row& b, std::span<const Column<Row>> columns) {
  return std::ranges::all_of(columns, [&](const Column<Row>& column) {
    return std::visit([&](auto member) { return same(a.*member, b.*member); }, column.member);
  });
}

bool is_proof(std::string_view text) {
  const auto is_grid = [text](std::string_view how) {
    return text.starts_with(how) && text.size() > how.size() &&
           text.find_first_not_of("0123456789", how.size()) == std::string_view::npos;
  };
  return text.empty() || text == "proven" || is_grid("sampled:") || is_grid("screened:");
}

bool is_joined(std::string_view text) {
  return text.empty() || text == "direct" || text == "repaired" || text == "symmetry";
}

CurveRow summarize(double threshold, const CellRow* first, const CellRow* last) {
  std::vector<double> length;
  std::vector<double> length_weights;
  std::vector<double> beads;
  std::size_t direct = 0;
  for (const CellRow* cell = first; cell != last; ++cell) {
    if (cell->verdict == Verdict::connected) {
      length.push_back(cell->normalized_length);
      length_weights.push_back(cell->normalized_length_weights);
      beads.push_back(static_cast<double>(cell->beads));
      direct += cell->joined == "direct" ? 1 : 0;
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
          .beads_sem = count.error,
          .direct = direct};
}

}  // namespace

std::string path_file_name(double threshold, std::size_t pair) {
  return fmt::format("{}_{}.safetensors", format_number(threshold), pair);
}

bool CellRow::operator==(const CellRow& other) const {
  return same_row<CellRow>(*this, other, cell_columns);
}

bool CurveRow::operator==(const CurveRow& other) const {
  return same_row<CurveRow>(*this, other, curve_columns);
}

void sort_cells(std::vector<CellRow>& cells) {
  std::stable_sort(cells.begin(), cells.end(), [](const CellRow& a, const CellRow& b) {
    return std::tuple(-a.threshold, a.pair) < std::tuple(-b.threshold, b.pair);
  });
}

std::string to_csv(std::vector<CellRow> cells) {
  sort_cells(cells);
  return to_csv<CellRow>(cells, cell_columns);
}

std::string to_csv(const std::vector<CurveRow>& curve) {
  return to_csv<CurveRow>(curve, curve_columns);
}

std::vector<CellRow> parse_cells(std::string_view text, const std::string& name) {
  const auto [table, columns] = read_table<CellRow>(text, name, cell_columns, earlier_cell_columns);
  std::vector<CellRow> cells;
  std::set<std::pair<double, std::size_t>> seen;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    cells.push_back(row_of(table, i, columns));
    if (!is_proof(cells.back().proof)) {
      table.refuse(i, proof_column, "\"proven\", \"screened:N\" or \"sampled:N\"");
    }
    CellRow& cell = cells.back();
    if (columns.size() < cell_columns.size()) {
      cell.joined = cell.verdict == Verdict::connected ? "direct" : "";
    }
    if (!is_joined(cell.joined)) {
      table.refuse(i, joined_column, "\"direct\", \"repaired\", \"symmetry\" or nothing");
    }
    if (cell.aligned != "raw" && cell.aligned != "aligned") {
      table.refuse(i, joined_column + 2, "\"raw\" or \"aligned\"");
    }
    if (!seen.emplace(cells.back().threshold, cells.back().pair).second) {
      table.refuse(i, 1, "each pair once at a threshold");
    }
  }
  return cells;
}

std::vector<CurveRow> parse_curve(std::string_view text, const std::string& name) {
  const auto [table, columns] =
      read_table<CurveRow>(text, name, curve_columns, earlier_curve_columns);
  std::vector<CurveRow> curve;
  std::set<double> seen;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    curve.push_back(row_of<CurveRow>(table, i, columns));
    if (columns.size() < curve_columns.size()) {
      curve.back().direct = curve.back().connected;
    }
    if (!seen.insert(curve.back().threshold).second) {
      table.refuse(i, 0, "each threshold once");
    }
    if (curve.back().direct > curve.back().connected) {
      table.refuse(i, 9, fmt::format("at most the {} connected ones", curve.back().connected));
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
