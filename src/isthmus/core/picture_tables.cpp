// SPDX-License-Identifier: MIT
#include "isthmus/core/picture_tables.h"

#include <tuple>
#include <utility>

#include "isthmus/core/csv.h"

namespace isthmus {
namespace {

// A column: its heading, and where a row has it.
template <class Row, class Value>
struct Column {
  std::string_view heading;
  Value& (*of)(Row&);
};

std::string text_of(std::size_t value) {
  return std::to_string(value);
}
std::string text_of(double value) {
  return csv_number(value);
}
std::string text_of(const std::string& value) {
  return value;
}

void read(const CsvTable& table, std::size_t row, std::size_t column, std::size_t& value) {
  value = table.integer(row, column);
}
void read(const CsvTable& table, std::size_t row, std::size_t column, double& value) {
  value = table.number(row, column);
}
void read(const CsvTable& table, std::size_t row, std::size_t column, std::string& value) {
  value = table.text(row, column);
}

template <class Row, class... Columns>
std::string text_of(std::vector<Row> rows, const std::tuple<Columns...>& columns) {
  std::string text = std::apply(
      [](const auto&... column) {
        const std::array headings{column.heading...};
        return csv_line(headings);
      },
      columns);
  for (Row& row : rows) {
    std::apply(
        [&](const auto&... column) {
          const std::array fields{text_of(column.of(row))...};
          const std::vector<std::string_view> views(fields.begin(), fields.end());
          text += csv_line(views);
        },
        columns);
  }
  return text;
}

template <class Row, class... Columns>
std::vector<Row> rows_of(std::string_view text,
                         const std::string& name,
                         const std::tuple<Columns...>& columns) {
  const CsvTable table = std::apply(
      [&](const auto&... column) {
        const std::array headings{column.heading...};
        return CsvTable::parse(text, name, headings);
      },
      columns);
  std::vector<Row> rows(table.rows());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::apply(
        [&](const auto&... column) {
          std::size_t place = 0;
          (read(table, i, place++, column.of(rows[i])), ...);
        },
        columns);
  }
  return rows;
}

template <class Row, class Value>
constexpr auto column(std::string_view heading, Value& (*of)(Row&)) {
  return Column<Row, Value>{heading, of};
}

const std::tuple axes_columns{
    column(
        "axis", +[](AxisRow& row) -> std::size_t& { return row.axis; }),
    column(
        "variance", +[](AxisRow& row) -> double& { return row.variance; }),
    column(
        "share", +[](AxisRow& row) -> double& { return row.share; }),
    column(
        "cumulative", +[](AxisRow& row) -> double& { return row.cumulative; })};

const std::tuple beads_columns{
    column(
        "bead", +[](BeadRow& row) -> std::size_t& { return row.bead; }),
    column(
        "round", +[](BeadRow& row) -> std::size_t& { return row.round; }),
    column(
        "arc_length", +[](BeadRow& row) -> double& { return row.arc_length; }),
    column(
        "x", +[](BeadRow& row) -> double& { return row.at[0]; }),
    column(
        "y", +[](BeadRow& row) -> double& { return row.at[1]; }),
    column(
        "z", +[](BeadRow& row) -> double& { return row.at[2]; }),
    column(
        "off", +[](BeadRow& row) -> double& { return row.off; }),
    column(
        "start_x", +[](BeadRow& row) -> double& { return row.start[0]; }),
    column(
        "start_y", +[](BeadRow& row) -> double& { return row.start[1]; }),
    column(
        "start_z", +[](BeadRow& row) -> double& { return row.start[2]; })};

const std::tuple along_columns{
    column(
        "left", +[](AlongRow& row) -> std::size_t& { return row.left; }),
    column(
        "right", +[](AlongRow& row) -> std::size_t& { return row.right; }),
    column(
        "t", +[](AlongRow& row) -> double& { return row.t; }),
    column(
        "metric", +[](AlongRow& row) -> double& { return row.metric; }),
    column(
        "metric_other", +[](AlongRow& row) -> double& { return row.metric_other; }),
    column(
        "companion", +[](AlongRow& row) -> double& { return row.companion; }),
    column(
        "companion_other", +[](AlongRow& row) -> double& { return row.companion_other; })};

const std::tuple curvature_columns{
    column(
        "bead", +[](CurvatureRow& row) -> std::size_t& { return row.bead; }),
    column(
        "smallest", +[](CurvatureRow& row) -> double& { return row.smallest; }),
    column(
        "smallest_error", +[](CurvatureRow& row) -> double& { return row.smallest_error; }),
    column(
        "largest", +[](CurvatureRow& row) -> double& { return row.largest; }),
    column(
        "largest_error", +[](CurvatureRow& row) -> double& { return row.largest_error; }),
    column(
        "products", +[](CurvatureRow& row) -> std::size_t& { return row.products; })};

const std::tuple plane_columns{
    column(
        "i", +[](PlaneRow& row) -> std::size_t& { return row.i; }),
    column(
        "j", +[](PlaneRow& row) -> std::size_t& { return row.j; }),
    column(
        "x", +[](PlaneRow& row) -> double& { return row.x; }),
    column(
        "y", +[](PlaneRow& row) -> double& { return row.y; }),
    column(
        "metric", +[](PlaneRow& row) -> double& { return row.metric; }),
    column(
        "companion", +[](PlaneRow& row) -> double& { return row.companion; })};

const std::tuple plane_points_columns{
    column(
        "name", +[](PlanePointRow& row) -> std::string& { return row.name; }),
    column(
        "x", +[](PlanePointRow& row) -> double& { return row.x; }),
    column(
        "y", +[](PlanePointRow& row) -> double& { return row.y; }),
    column(
        "off", +[](PlanePointRow& row) -> double& { return row.off; }),
    column(
        "metric", +[](PlanePointRow& row) -> double& { return row.metric; })};

}  // namespace

std::string to_csv(const std::vector<AxisRow>& rows) {
  return text_of(rows, axes_columns);
}
std::string to_csv(const std::vector<BeadRow>& rows) {
  return text_of(rows, beads_columns);
}
std::string to_csv(const std::vector<AlongRow>& rows) {
  return text_of(rows, along_columns);
}
std::string to_csv(const std::vector<CurvatureRow>& rows) {
  return text_of(rows, curvature_columns);
}
std::string to_csv(const std::vector<PlaneRow>& rows) {
  return text_of(rows, plane_columns);
}
std::string to_csv(const std::vector<PlanePointRow>& rows) {
  return text_of(rows, plane_points_columns);
}

std::vector<AxisRow> parse_axes(std::string_view text, const std::string& name) {
  return rows_of<AxisRow>(text, name, axes_columns);
}
std::vector<BeadRow> parse_beads(std::string_view text, const std::string& name) {
  return rows_of<BeadRow>(text, name, beads_columns);
}
std::vector<AlongRow> parse_along(std::string_view text, const std::string& name) {
  return rows_of<AlongRow>(text, name, along_columns);
}
std::vector<CurvatureRow> parse_curvature(std::string_view text, const std::string& name) {
  return rows_of<CurvatureRow>(text, name, curvature_columns);
}
std::vector<PlaneRow> parse_plane(std::string_view text, const std::string& name) {
  return rows_of<PlaneRow>(text, name, plane_columns);
}
std::vector<PlanePointRow> parse_plane_points(std::string_view text, const std::string& name) {
  return rows_of<PlanePointRow>(text, name, plane_points_columns);
}

}  // namespace isthmus
