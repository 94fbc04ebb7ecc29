// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace isthmus {

/// Text as HTML may hold it, also inside quoted attributes; see svg_escape.
std::string html_escape(std::string_view text);
/// The same, line ends kept.
std::string html_escape_lines(std::string_view text);

/// Some bytes as a link that needs no file: "data:text/csv;base64,...".
std::string data_link(std::string_view type, std::string_view bytes);

/// JSON text as a script element may hold it: no "<" in it.
std::string script_text(std::string_view json);

/// The beginning of a page up to its heading; `title` is HTML.
std::string page_head(std::string_view title);

/// A still picture alone.
std::string html_figure(const std::string& svg);

/// A table in a box that scrolls sideways alone. Fields are texts, escaped here.
std::string html_table(const std::vector<std::string>& headings,
                       const std::vector<std::vector<std::string>>& rows,
                       std::string_view caption);

}  // namespace isthmus
