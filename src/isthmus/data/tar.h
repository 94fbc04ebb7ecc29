// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "isthmus/data/content_reader.h"

namespace isthmus {

/// The regular files of a tar archive (v7, ustar, GNU or pax), plain, gzip or xz, front to back and
/// without a copy of them. Folders, links and the archive's own notes are passed over. Names of
/// more than 100 bytes come as the first header has them, shortened. For one thread at a time.
class TarReader {
 public:
  struct Entry {
    std::string name;  ///< last part of its path: nothing here is ever written to a path it names
    std::uint64_t bytes = 0;
  };

  /// Throws MissingInput, or DataError if it cannot be read.
  explicit TarReader(const std::filesystem::path& path);

  /// Goes on to the next regular file; nothing at the end of the archive. Throws DataError for a
  /// header with a wrong checksum or size, an archive that ends early, or a damaged stream.
  std::optional<Entry> next();

  /// Fills `out` with the next bytes of the current file and returns how many: fewer than asked
  /// only at its end. Throws as next().
  std::size_t read(std::span<std::uint8_t> out);

 private:
  void fill(std::span<std::uint8_t> out);
  void skip(std::uint64_t bytes);
  std::string name_;
  ContentReader reader_;
  std::uint64_t left_ = 0;     // of the current file
  std::uint64_t padding_ = 0;  // behind it, up to a multiple of 512
};

}  // namespace isthmus
