// SPDX-License-Identifier: MIT
#include "isthmus/data/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t block = 512;
using Header = std::array<std::uint8_t, block>;

// Places of a header's fields.
constexpr std::size_t name_size = 100;
constexpr std::size_t size_place = 124;
constexpr std::size_t size_size = 12;
constexpr std::size_t checksum_place = 148;
constexpr std::size_t checksum_size = 8;
constexpr std::size_t type_place = 156;

// A number in octal digits, with blanks before it and a blank or zero byte behind; nothing for
// anything else (GNU's binary form among it, which only files of 8 GiB need).
std::optional<std::uint64_t> octal(std::span<const std::uint8_t> field) {
  std::size_t i = 0;
  while (i < field.size() && field[i] == ' ') {
    ++i;
  }
  const std::size_t first = i;
  std::uint64_t value = 0;
  for (; i < field.size() && field[i] >= '0' && field[i] <= '7'; ++i) {
    value = value * 8 + (field[i] - '0');
  }
  const bool ended = i == field.size() || field[i] == ' ' || field[i] == '\0';
  return i > first && ended ? std::optional(value) : std::nullopt;
}

// The sum of all bytes, the checksum itself taken as blanks.
std::uint64_t checksum_of(const Header& header) {
  const auto begin = header.begin() + checksum_place;
  const auto end = begin + checksum_size;
  return std::accumulate(header.begin(), begin, std::uint64_t{0}) +
         std::accumulate(end, header.end(), std::uint64_t{0}) + checksum_size * ' ';
}

std::string last_part_of_name(const Header& header) {
  const auto end = std::find(header.begin(), header.begin() + name_size, '\0');
  const std::string path(header.begin(), end);
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

TarReader::TarReader(const std::filesystem::path& path) : name_(path.string()), reader_(path) {
}

void TarReader::fill(std::span<std::uint8_t> out) {
  if (reader_.read(out) < out.size()) {
    throw DataError(fmt::format(
        "{}: expected more of its tar archive, found the end of the file. The file is incomplete, "
        "or no tar archive: get it again.",
        name_));
  }
}

void TarReader::skip(std::uint64_t bytes) {
  std::vector<std::uint8_t> buffer(std::min<std::uint64_t>(bytes, std::uint64_t{64} * 1024));
  while (bytes > 0) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer.size()));
    fill(std::span(buffer).first(part));
    bytes -= part;
  }
}

std::optional<TarReader::Entry> TarReader::next() {
  while (true) {
    skip(left_ + padding_);
    left_ = 0;
    padding_ = 0;
    Header header{};
    fill(header);
    if (std::all_of(header.begin(), header.end(), [](std::uint8_t byte) { return byte == 0; })) {
      reader_.drain();  // for the checks at the end of a packed stream
      return std::nullopt;
    }
    const std::span<const std::uint8_t> fields(header);
    const auto size = octal(fields.subspan(size_place, size_size));
    if (octal(fields.subspan(checksum_place, checksum_size)) != checksum_of(header) || !size) {
      throw DataError(
          fmt::format("{}: expected a tar archive, found a header whose checksum or size is wrong. "
                      "Get the file "
                      "again.",
                      name_));
    }
    left_ = *size;
    padding_ = (block - *size % block) % block;
    if (header[type_place] == '0' || header[type_place] == '\0') {
      return Entry{last_part_of_name(header), *size};
    }
  }
}

std::size_t TarReader::read(std::span<std::uint8_t> out) {
  const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, out.size()));
  fill(out.first(part));
  left_ -= part;
  return part;
}

}  // namespace isthmus
