// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace isthmus {

/// Reads the content of a file front to back, unpacking it on the way if it is gzip (told by its
/// first bytes, not by its name), and hashes what it hands out. Holds 128 KiB whatever the size.
/// For one thread at a time.
class ContentReader {
 public:
  /// Throws MissingInput if the file is not there, DataError if it cannot be read.
  explicit ContentReader(const std::filesystem::path& path);
  ~ContentReader();
  ContentReader(const ContentReader&) = delete;
  ContentReader& operator=(const ContentReader&) = delete;

  /// Fills `out` with the next bytes and returns how many: fewer than asked only at the end of the
  /// content. Throws DataError for a gzip stream that is damaged, ends early (checksum and length
  /// included), or is followed by anything but another gzip stream.
  std::size_t read(std::span<std::uint8_t> out);

  /// Reads what is left, for its hash and for the checks at the end of a gzip stream; returns its
  /// size in bytes.
  std::uint64_t drain();

  /// SHA-256 of everything handed out so far, 64 lower-case hexadecimal digits. To be called once,
  /// after the last read.
  std::string sha256();

  /// No content of this file can be longer: the size of a plain file, or what deflate could at most
  /// have packed into a gzip file.
  std::uint64_t size_limit() const;
  bool compressed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isthmus
