// SPDX-License-Identifier: MIT
#include "isthmus/report/text_table.h"

#include <algorithm>
#include <cstddef>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

// Characters on the page: continuation bytes of UTF-8 are none.
std::size_t shown_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string escaped(const std::string& field) {
  std::string text;
  for (const char c : field) {
    text += c == '|' ? "\\|" : std::string(1, c);
  }
  return text;
}

std::string padded(const std::string& field, std::size_t width, bool to_the_left) {
  const std::string space(width - shown_width(field), ' ');
  return to_the_left ? field + space : space + field;
}

std::string line_of(const std::vector<std::string>& fields,
                    const std::vector<std::size_t>& widths,
                    TableForm form) {
  std::string line = form == TableForm::markdown ? "| " : "";
  for (std::size_t i = 0; i < fields.size(); ++i) {
    line += (i == 0 ? "" : form == TableForm::markdown ? " | " : "  ");
    line += padded(fields[i], widths[i], i == 0);
  }
  if (form == TableForm::markdown) {
    return line + " |\n";
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string rule_of(const std::vector<std::size_t>& widths, TableForm form) {
  std::string line;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (form == TableForm::markdown) {
      line += i == 0 ? "|" + std::string(widths[i] + 2, '-')
                     : "|" + std::string(widths[i] + 1, '-') + ":";
    } else {
      line += (i == 0 ? "" : "  ") + std::string(widths[i], '-');
    }
  }
  return line + (form == TableForm::markdown ? "|\n" : "\n");
}

}  // namespace

void TextTable::add(std::vector<std::string> fields) {
  ISTHMUS_ASSERT(fields.size() == headings_.size(), "a row has a field for each heading");
  rows_.push_back(std::move(fields));
}

std::string TextTable::str(TableForm form) const {
  std::vector<std::vector<std::string>> lines{headings_};
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  if (form == TableForm::markdown) {
    for (std::vector<std::string>& fields : lines) {
      std::transform(fields.begin(), fields.end(), fields.begin(), escaped);
    }
  }
  std::vector<std::size_t> widths(headings_.size(), 1);
  for (const std::vector<std::string>& fields : lines) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      widths[i] = std::max(widths[i], shown_width(fields[i]));
    }
  }
  std::string text = line_of(lines.front(), widths, form) + rule_of(widths, form);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    text += line_of(lines[i], widths, form);
  }
  return text;
}

}  // namespace isthmus
