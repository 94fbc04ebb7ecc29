// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus {

/// A strictly read table of comma-separated values without quotes: one header line, then lines of
/// equally many fields, each line ended by a line feed (a carriage return before it is dropped).
/// Every error is a DataError with the file's name, line, column, what was expected and what came.
class CsvTable {
 public:
  /// Reads `text`; `name` is what errors call it. The header must begin with `columns`; columns
  /// behind these are allowed and ignored, so that a later version may add some. The last line must
  /// end in a line feed: a table without it was cut.
  static CsvTable parse(std::string_view text,
                        std::string name,
                        std::span<const std::string_view> columns);

  std::size_t rows() const { return rows_.size(); }
  std::size_t columns() const { return columns_.size(); }
  /// The field as it stands.
  const std::string& text(std::size_t row, std::size_t column) const;
  /// A number of C's format; an empty field and "nan" are NaN. Infinities are refused.
  double number(std::size_t row, std::size_t column) const;
  /// A whole number of 0 or more that fits 64 bits.
  std::uint64_t integer(std::size_t row, std::size_t column) const;
  /// Throws DataError that the field is not `expected`.
  [[noreturn]] void refuse(std::size_t row, std::size_t column, std::string_view expected) const;

 private:
  std::string name_;
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;  ///< each of the header's length
};

/// "a,b,c\n".
std::string csv_line(std::span<const std::string_view> fields);

/// As format_number, and "nan" for whatever is not finite: an infinity is no value that could be
/// averaged or drawn.
std::string csv_number(double value);

}  // namespace isthmus
