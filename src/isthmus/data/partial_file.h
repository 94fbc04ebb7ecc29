// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace isthmus {

/// A file that grows over several attempts under a name of its own, FINAL.partial, until it is
/// published as FINAL. It stays on the disk when this object ends, unless it is empty or published.
/// Locked: only one process or thread at a time has it. Every failure is a WriteError.
class PartialFile {
 public:
  /// Opens what an earlier attempt left of it, or makes it.
  explicit PartialFile(const std::filesystem::path& final_path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }

  void append(std::span<const std::byte> bytes);
  /// Drops everything written so far.
  void clear();
  /// Flushes it to the disk and renames it into place, over what is there.
  void publish();

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path final_path_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  bool published_ = false;
};

}  // namespace isthmus
