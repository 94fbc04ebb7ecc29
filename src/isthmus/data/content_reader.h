// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace isthmus {

/// Reads the content of a file front to back, unpacking it on the way if it is gzip or xz (told by
/// its first bytes, not by its name), and hashes what it hands out. Holds 128 KiB whatever the
/// size, and for xz the dictionary that the file was packed with. For one thread at a time.
class ContentReader {
 public:
  /// Throws MissingInput if the file is not there, DataError if it cannot be read.
  explicit ContentReader(const std::filesystem::path& path);
  ~ContentReader();
  ContentReader(const ContentReader&) = delete;
  ContentReader& operator=(const ContentReader&) = delete;

  /// Fills `out` with the next bytes and returns how many: fewer than asked only at the end of the
  /// content. Throws DataError for a gzip or xz stream that is damaged, ends early (checksum and
  /// length included), or is followed by anything but another stream of its kind (behind xz, also
  /// by padding with zeros); and for an xz stream whose dictionary needs more than 256 MiB.
  std::size_t read(std::span<std::uint8_t> out);

  /// Reads what is left, for its hash and for the checks at the end of a packed stream; returns its
  /// size in bytes.
  std::uint64_t drain();

  /// SHA-256 of everything handed out so far, 64 lower-case hexadecimal digits. To be called once,
  /// after the last read.
  std::string sha256();

  /// No content of this file can be longer: the size of a plain file, or what deflate or LZMA could
  /// at most have packed into a file of its size.
  std::uint64_t size_limit() const;
  bool compressed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace isthmus
