// SPDX-License-Identifier: MIT
#include "isthmus/core/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"

namespace isthmus {
namespace {

std::vector<std::string> split_fields(std::string_view line) {
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  std::vector<std::string> fields;
  for (;;) {
    const std::size_t comma = line.find(',');
    fields.emplace_back(line.substr(0, comma));
    if (comma == std::string_view::npos) {
      return fields;
    }
    line.remove_prefix(comma + 1);
  }
}

// What a message shows of a field: a damaged file may hold anything, of any length.
std::string shown(std::string_view field) {
  constexpr std::size_t longest = 40;
  std::string text;
  for (const char c : field.substr(0, longest)) {
    const bool printable = c >= ' ' && c <= '~';
    text += printable ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return "\"" + text + (field.size() > longest ? "...\"" : "\"");
}

void check_header(const std::string& name,
                  const std::vector<std::string>& found,
                  std::span<const std::string_view> expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (i >= found.size() || found[i] != expected[i]) {
      throw DataError(fmt::format("{}, line 1, column {}: expected the heading \"{}\", found {}",
                                  name,
                                  i + 1,
                                  expected[i],
                                  i < found.size() ? shown(found[i]) : "the end of the line"));
    }
  }
}

template <class Number>
bool read_whole(const std::string& field, Number& value) {
  const char* end = field.data() + field.size();
  const auto result = std::from_chars(field.data(), end, value);
  return result.ec == std::errc() && result.ptr == end;
}

}  // namespace

CsvTable CsvTable::parse(std::string_view text,
                         std::string name,
                         std::span<const std::string_view> columns) {
  CsvTable table;
  table.name_ = std::move(name);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      throw DataError(
          fmt::format("{}, line {}: expected a line feed at its end, found the end of "
                      "the file: it was cut",
                      table.name_,
                      number));
    }
    std::vector<std::string> fields = split_fields(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (number == 1) {
      check_header(table.name_, fields, columns);
      table.columns_ = std::move(fields);
    } else if (fields.size() != table.columns_.size()) {
      throw DataError(fmt::format("{}, line {}: expected {} fields, found {}",
                                  table.name_,
                                  number,
                                  table.columns_.size(),
                                  fields.size()));
    } else {
      table.rows_.push_back(std::move(fields));
    }
  }
  if (table.columns_.empty()) {
    throw DataError(
        fmt::format("{}, line 1: expected a heading, found an empty file", table.name_));
  }
  return table;
}

const std::string& CsvTable::text(std::size_t row, std::size_t column) const {
  return rows_.at(row).at(column);
}

double CsvTable::number(std::size_t row, std::size_t column) const {
  const std::string& field = text(row, column);
  if (field.empty() || field == "nan") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  double value = 0;
  if (!read_whole(field, value) || !std::isfinite(value)) {
    refuse(row, column, "a finite number, \"nan\" or nothing");
  }
  return value;
}

std::uint64_t CsvTable::integer(std::size_t row, std::size_t column) const {
  std::uint64_t value = 0;
  if (!read_whole(text(row, column), value)) {
    refuse(row, column, "a whole number of 0 or more");
  }
  return value;
}

void CsvTable::refuse(std::size_t row, std::size_t column, std::string_view expected) const {
  throw DataError(fmt::format("{}, line {}, column {} ({}): expected {}, found {}",
                              name_,
                              row + 2,
                              column + 1,
                              columns_.at(column),
                              expected,
                              shown(text(row, column))));
}

std::string csv_line(std::span<const std::string_view> fields) {
  return fmt::format("{}\n", fmt::join(fields, ","));
}

std::string csv_number(double value) {
  return std::isfinite(value) ? format_number(value) : "nan";
}

}  // namespace isthmus
