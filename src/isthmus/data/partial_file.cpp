// SPDX-License-Identifier: MIT
#include "isthmus/data/partial_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isthmus/core/error.h"

namespace isthmus {

PartialFile::PartialFile(const std::filesystem::path& final_path)
    : final_path_(final_path), path_(final_path.string() + ".partial") {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    fail(errno);
  }
  struct stat status {};
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 || ::fstat(descriptor_, &status) != 0) {
    const int error = errno;
    ::close(descriptor_);
    if (error == EWOULDBLOCK) {
      throw WriteError(fmt::format(
          "{}: is being written by another process. Wait until that ends, then repeat the command.",
          path_.string()));
    }
    fail(error);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

PartialFile::~PartialFile() {
  if (!published_ && size_ == 0) {
    ::unlink(path_.c_str());
  }
  ::close(descriptor_);
}

void PartialFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      fail(written < 0 ? errno : EIO);
    }
    size_ += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void PartialFile::clear() {
  if (size_ > 0 && ::ftruncate(descriptor_, 0) != 0) {
    fail(errno);
  }
  size_ = 0;
}

void PartialFile::publish() {
  if (::fsync(descriptor_) != 0 || ::rename(path_.c_str(), final_path_.c_str()) != 0) {
    fail(errno);
  }
  published_ = true;
}

void PartialFile::fail(int error) const {
  throw WriteError(fmt::format(
      "{}: cannot be written ({}). Free space or choose another place with --data DIR, then repeat "
      "the command; it goes on where it stopped.",
      path_.string(),
      std::strerror(error)));
}

}  // namespace isthmus
