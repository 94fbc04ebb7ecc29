// SPDX-License-Identifier: MIT
#include "isthmus/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "isthmus/report/page_assets.h"
#include "isthmus/report/svg.h"

namespace isthmus {

std::string html_escape(std::string_view text) {
  return svg_escape(text);
}

std::string html_escape_lines(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    escaped += html_escape(text.substr(0, end));
    if (end < text.size()) {
      escaped += '\n';
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return escaped;
}

std::string data_link(std::string_view type, std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = fmt::format("data:{};base64,", type);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      const auto byte = i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U;
      three = three << 8 | byte;
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : digits[three >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

std::string script_text(std::string_view json) {
  std::string text;
  for (const char c : json) {
    text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  }
  return text;
}

std::string page_head(std::string_view title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{0}: isthmus</title>\n<style>\n{1}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n",
      title,
      page_style());
}

std::string html_figure(const std::string& svg) {
  return fmt::format("<figure>\n<div class=\"still\">{}</div>\n</figure>\n", svg);
}

std::string html_table(const std::vector<std::string>& headings,
                       const std::vector<std::vector<std::string>>& rows,
                       std::string_view caption) {
  std::string text = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"{0}\"><table>\n<thead><tr>",
      html_escape(caption));
  for (const std::string& heading : headings) {
    text += fmt::format("<th scope=\"col\">{}</th>", html_escape(heading));
  }
  text += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    text += "<tr>";
    for (const std::string& field : row) {
      text += fmt::format("<td>{}</td>", html_escape(field));
    }
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

}  // namespace isthmus
