// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace isthmus {

enum class TableForm {
  text,      ///< columns aligned with spaces, for a terminal
  markdown,  ///< with bars, for a document; a bar inside a field is escaped
};

/// A table of short texts under headings. The first column is set to the left, the others to the
/// right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  /// Appends a row; throws InternalError unless it has a field for each heading.
  void add(std::vector<std::string> fields);
  bool empty() const { return rows_.empty(); }
  /// The lines, each ended.
  std::string str(TableForm form) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace isthmus
