// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace isthmus::testing {

/// One entry of a ustar archive: header, content, padding.
inline std::string tar_entry(std::string_view path, std::string_view content, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, path.size(), path);
  const auto octal = [&](std::size_t place, int digits, std::size_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "%0*zo", digits, value);
    header.replace(place, static_cast<std::size_t>(digits), text);
  };
  octal(100, 7, 0644);
  octal(124, 11, content.size());
  header[156] = type;
  header.replace(257, 8, std::string_view("ustar\00000", 8));
  header.replace(148, 8, "        ");
  std::size_t sum = 0;
  for (const char byte : header) {
    sum += static_cast<unsigned char>(byte);
  }
  octal(148, 6, sum);
  header[154] = '\0';
  const std::size_t padding = (512 - content.size() % 512) % 512;
  return header + std::string(content) + std::string(padding, '\0');
}

/// What ends an archive.
inline std::string tar_end() {
  return std::string(1024, '\0');
}

}  // namespace isthmus::testing
