// SPDX-License-Identifier: MIT
#include "isthmus/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace isthmus {
namespace {

// At most two decimals, without trailing zeros.
std::string number(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) {
    text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string attributes(const Stroke& stroke) {
  std::string text =
      fmt::format("stroke=\"{}\" stroke-width=\"{}\"", stroke.color, number(stroke.width));
  if (!stroke.dash.empty()) {
    text += fmt::format(" stroke-dasharray=\"{}\"", stroke.dash);
  }
  return text;
}

std::string joined(const Points& points) {
  std::string text;
  for (const auto& [x, y] : points) {
    text += fmt::format("{}{},{}", text.empty() ? "" : " ", number(x), number(y));
  }
  return text;
}

// Bytes of the well-formed UTF-8 character that `text` begins with; 0 if there is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  if (length == 0 || length > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  // Overlong forms, surrogates and what lies behind the last code point.
  const bool refused = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) ||
                       (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f);
  return refused ? 0 : length;
}

}  // namespace

Svg::Svg(double width, double height, std::string_view title, std::string_view description) {
  body_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" role=\"img\" font-family=\"Helvetica, Arial, sans-serif\">\n"
      "<title>{2}</title>\n<desc>{3}</desc>\n",
      number(width),
      number(height),
      svg_escape(title),
      svg_escape(description));
  rectangle(0, 0, width, height, "#ffffff");
}

void Svg::line(double x1, double y1, double x2, double y2, const Stroke& stroke) {
  body_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {}/>\n",
                       number(x1),
                       number(y1),
                       number(x2),
                       number(y2),
                       attributes(stroke));
}

void Svg::polyline(const Points& points, const Stroke& stroke) {
  if (points.size() > 1) {
    body_ += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\" {}/>\n",
                         joined(points),
                         attributes(stroke));
  }
}

void Svg::polygon(const Points& points, std::string_view fill, const Stroke& outline) {
  body_ += fmt::format(
      "<polygon points=\"{}\" fill=\"{}\" {}/>\n", joined(points), fill, attributes(outline));
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view fill) {
  body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
                       number(x),
                       number(y),
                       number(width),
                       number(height),
                       fill);
}

void Svg::circle(double x, double y, double radius, std::string_view fill, const Stroke& outline) {
  body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\" {}/>\n",
                       number(x),
                       number(y),
                       number(radius),
                       fill,
                       attributes(outline));
}

void Svg::text(double x, double y, std::string_view content, const TextStyle& style) {
  body_ += fmt::format(
      "<text x=\"{0}\" y=\"{1}\" font-size=\"{2}\" text-anchor=\"{3}\" "
      "fill=\"{4}\"{5}{6}>{7}</text>\n",
      number(x),
      number(y),
      number(style.size),
      name_of(style.anchor),
      style.color,
      style.bold ? " font-weight=\"bold\"" : "",
      style.upwards ? fmt::format(" transform=\"rotate(-90 {} {})\"", number(x), number(y)) : "",
      svg_escape(content));
}

std::string Svg::str() const {
  return body_ + "</svg>\n";
}

std::string svg_escape(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const char c = text.front();
    if (length == 0 || (length == 1 && (c < ' ' || c == '\x7f'))) {
      escaped += '?';
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return escaped;
}

double text_width(std::string_view text, double size) {
  // Continuation bytes of UTF-8 take no room.
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  });
  return 0.58 * size * static_cast<double>(characters);
}

std::vector<std::string> wrap_text(std::string_view text, double width, double size) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string word(text.substr(0, space));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    if (lines.empty() || text_width(lines.back() + " " + word, size) > width) {
      lines.push_back(word);
    } else {
      lines.back() += " " + word;
    }
  }
  return lines;
}

}  // namespace isthmus
