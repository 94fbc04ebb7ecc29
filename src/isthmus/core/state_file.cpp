// SPDX-License-Identifier: MIT
#include "isthmus/core/state_file.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cstring>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"

namespace isthmus {
namespace {

constexpr std::string_view magic = "isthmus-state-1\n";
constexpr std::size_t digest_bytes = 32;

}  // namespace

struct StateWriter::Digest {
  Digest() : context(EVP_MD_CTX_new()) {
    if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
      throw InternalError("the SHA-256 of the system's libcrypto failed");
    }
  }
  ~Digest() { EVP_MD_CTX_free(context); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  EVP_MD_CTX* context;
};

StateWriter::StateWriter(const std::filesystem::path& path)
    : file_(path), digest_(std::make_unique<Digest>()) {
  bytes(std::as_bytes(std::span(magic)));
}

StateWriter::~StateWriter() = default;

void StateWriter::bytes(std::span<const std::byte> content) {
  file_.write(content);
  if (EVP_DigestUpdate(digest_->context, content.data(), content.size()) != 1) {
    throw InternalError("the SHA-256 of the system's libcrypto failed");
  }
}

void StateWriter::commit() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(digest_->context, digest, &size) != 1 || size != digest_bytes) {
    throw InternalError("the SHA-256 of the system's libcrypto failed");
  }
  file_.write(std::as_bytes(std::span(digest, size)));
  file_.commit();
}

StateReader::StateReader(std::string content, std::string name)
    : content_(std::move(content)), name_(std::move(name)), next_(magic.size()) {
}

std::optional<StateReader> StateReader::open(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) {
    return std::nullopt;
  }
  std::string content = read_file(path);
  const bool has_frame =
      content.size() >= magic.size() + digest_bytes && content.starts_with(magic);
  bool sealed = false;
  if (has_frame) {
    const std::string_view whole = content;
    const std::string_view body = whole.substr(0, whole.size() - digest_bytes);
    std::string found;
    for (const char byte : whole.substr(body.size())) {
      found += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    }
    sealed = sha256(body) == found;
  }
  if (!sealed) {
    throw DataError(fmt::format("{}: damaged: its checksum does not fit", path.string()));
  }
  content.resize(content.size() - digest_bytes);
  return StateReader(std::move(content), path.string());
}

void StateReader::expect_count(std::size_t count) {
  const auto found = get<std::uint64_t>();
  if (found != count) {
    throw DataError(fmt::format("{}: expected {} numbers, found {}", name_, count, found));
  }
}

void StateReader::take(std::span<std::byte> into) {
  if (into.size() > content_.size() - next_) {
    throw DataError(fmt::format("{}: ends too early", name_));
  }
  if (!into.empty()) {
    std::memcpy(into.data(), content_.data() + next_, into.size());
  }
  next_ += into.size();
}

}  // namespace isthmus
