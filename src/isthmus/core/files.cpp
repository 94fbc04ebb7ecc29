// SPDX-License-Identifier: MIT
#include "isthmus/core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

std::string reason(int error) {
  return std::strerror(error);
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

bool write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// So that the rename itself survives a crash. Best effort: not every file system allows it.
void flush_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.number() >= 0) {
    ::fsync(descriptor.number());
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw MissingInput(fmt::format("{}: no such file", path.string()));
  }
  if (std::filesystem::is_directory(path, error)) {
    throw DataError(fmt::format("{}: expected a file, found a folder", path.string()));
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  if (stream.peek() != std::ifstream::traits_type::eof()) {
    content << stream.rdbuf();
  }
  if (stream.bad() || !stream.is_open()) {
    throw DataError(fmt::format("{}: cannot be read ({})", path.string(), reason(errno)));
  }
  return std::move(content).str();
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path folder =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::string partial = fmt::format("{}.{}.partial", path.string(), ::getpid());
  int error = 0;
  {
    const Descriptor descriptor(
        ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (descriptor.number() < 0 || !write_all(descriptor.number(), content) ||
        ::fsync(descriptor.number()) != 0) {
      error = errno;
    }
  }
  if (error == 0 && ::rename(partial.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    ::unlink(partial.c_str());
    throw WriteError(fmt::format(
        "{}: cannot be written ({}). Free space or choose another place, then repeat the command; "
        "what was written before is intact.",
        path.string(),
        reason(error)));
  }
  flush_folder(folder);
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path)) {
    throw WriteError(fmt::format("{}: the folder cannot be made ({}). Choose another place.",
                                 path.string(),
                                 error ? error.message() : "a file of that name exists"));
  }
}

Json read_json(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw DataError(fmt::format("{}: not valid JSON ({})", path.string(), error.what()));
  }
}

void write_json(const std::filesystem::path& path, const Json& value) {
  write_file(path, value.dump(2) + "\n");
}

std::string format_number(double value) {
  return fmt::format("{}", value);
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw InternalError("the SHA-256 of the system's libcrypto failed");
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += fmt::format("{:02x}", digest[i]);
  }
  return text;
}

}  // namespace isthmus
