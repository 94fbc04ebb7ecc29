// SPDX-License-Identifier: MIT
#include "isthmus/core/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

// Renaming onto a device would replace it by a plain file.
bool is_special(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_other(std::filesystem::status(path, error));
}

// So that the rename itself survives a crash. Best effort: not every file system allows it.
void flush_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

}  // namespace

OutputFile::OutputFile(const std::filesystem::path& path) : path_(path) {
  if (!is_special(path)) {
    partial_ = fmt::format("{}.{}.partial", path.string(), ::getpid());
  }
  const std::string& name = partial_.empty() ? path_.native() : partial_;
  descriptor_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    fail(errno);
  }
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    if (!partial_.empty()) {
      ::unlink(partial_.c_str());
    }
  }
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      fail(written < 0 ? errno : EIO);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void OutputFile::commit() {
  // A pipe or a terminal has nothing to flush.
  if (::fsync(descriptor_) != 0 && !partial_.empty()) {
    fail(errno);
  }
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    fail(errno);
  }
  if (partial_.empty()) {
    return;
  }
  if (::rename(partial_.c_str(), path_.c_str()) != 0) {
    fail(errno);
  }
  flush_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

void OutputFile::fail(int error) {
  if (!partial_.empty()) {
    ::unlink(partial_.c_str());
  }
  throw WriteError(fmt::format(
      "{}: cannot be written ({}). Free space or choose another place, then repeat the command; "
      "what was written before is intact.",
      path_.string(),
      std::generic_category().message(error)));
}

}  // namespace isthmus
