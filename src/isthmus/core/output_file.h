// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace isthmus {

/// A file that appears whole or not at all: it is written piece by piece under a temporary name
/// beside its own, and commit() flushes it to the disk and renames it into place. Destroyed before
/// commit(), it leaves nothing behind and the old file as it was.
/// A path that names a device or a pipe (/dev/stdout) is written directly.
/// Every failure is a WriteError with the path and the reason. For one thread at a time.
class OutputFile {
 public:
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail(int error);

  std::filesystem::path path_;
  std::string partial_;  // the temporary name; empty when the path is written directly
  int descriptor_ = -1;
};

}  // namespace isthmus
