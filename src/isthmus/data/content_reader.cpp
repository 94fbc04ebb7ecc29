// SPDX-License-Identifier: MIT
#include "isthmus/data/content_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t chunk = std::size_t{64} * 1024;
constexpr std::uint8_t gzip_magic_0 = 0x1f;
constexpr std::uint8_t gzip_magic_1 = 0x8b;
// deflate cannot pack better than 1032 to 1 (zlib's technical notes).
constexpr std::uint64_t deflate_limit = 1032;

struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

struct ContentReader::State {
  std::string path;
  int descriptor = -1;
  std::uint64_t file_size = 0;
  std::vector<std::uint8_t> packed = std::vector<std::uint8_t>(chunk);
  std::span<const std::uint8_t> pending;  // bytes of `packed` that nobody has used yet
  bool gzip = false;
  bool ended = false;
  std::uint64_t handed_out = 0;
  z_stream stream{};
  std::unique_ptr<EVP_MD_CTX, DigestDeleter> digest{EVP_MD_CTX_new()};

  explicit State(const std::filesystem::path& file) : path(file.string()) {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR)) {
      throw MissingInput(fmt::format("{}: no such file", path));
    }
    struct stat status {};
    if (descriptor < 0 || ::fstat(descriptor, &status) != 0) {
      fail_to_read();
    }
    if (S_ISDIR(status.st_mode)) {
      ::close(descriptor);
      throw DataError(fmt::format("{}: expected a file, found a folder", path));
    }
    file_size = static_cast<std::uint64_t>(status.st_size);
  }

  ~State() {
    if (gzip) {
      inflateEnd(&stream);
    }
    if (descriptor >= 0) {
      ::close(descriptor);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[noreturn]] void fail_to_read() {
    const std::string reason = std::strerror(errno);
    if (descriptor >= 0) {
      ::close(std::exchange(descriptor, -1));
    }
    throw DataError(fmt::format("{}: cannot be read ({})", path, reason));
  }

  // The next bytes of the file itself; returns how many, 0 at its end.
  std::size_t read_raw(std::uint8_t* out, std::size_t size) {
    ssize_t got = -1;
    do {
      got = ::read(descriptor, out, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      fail_to_read();
    }
    return static_cast<std::size_t>(got);
  }

  bool refill() {
    if (pending.empty()) {
      pending = {packed.data(), read_raw(packed.data(), packed.size())};
    }
    return !pending.empty();
  }

  std::size_t read_plain(std::span<std::uint8_t> out) {
    const std::size_t buffered = std::min(out.size(), pending.size());
    std::copy_n(pending.data(), buffered, out.data());
    pending = pending.subspan(buffered);
    std::size_t filled = buffered;
    while (filled < out.size()) {
      const std::size_t got = read_raw(out.data() + filled, out.size() - filled);
      if (got == 0) {
        break;
      }
      filled += got;
    }
    return filled;
  }

  void start_gzip() {
    // 16: expect a gzip wrapper, and check its CRC and length.
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
      throw InternalError("zlib's inflate could not be started (out of memory?)");
    }
    gzip = true;
  }

  // At the end of one gzip stream: another may follow, anything else is garbage.
  void next_member(std::size_t filled) {
    if (!refill()) {
      ended = true;
      return;
    }
    if (pending[0] != gzip_magic_0) {
      throw DataError(fmt::format(
          "{}: expected the end of the file after its gzip stream ({} bytes unpacked), found other "
          "bytes behind it. The file is not what was published: get it again.",
          path,
          handed_out + filled));
    }
    inflateReset(&stream);
  }

  std::size_t read_gzip(std::span<std::uint8_t> out) {
    std::size_t filled = 0;
    while (!ended && filled < out.size()) {
      if (!refill()) {
        throw DataError(fmt::format(
            "{}: expected more of its gzip stream, found the end of the file after {} unpacked "
            "bytes. The file is incomplete: get it again.",
            path,
            handed_out + filled));
      }
      // zlib counts in 32 bits.
      const auto room = static_cast<uInt>(std::min<std::size_t>(out.size() - filled, 1U << 30U));
      stream.next_in = const_cast<Bytef*>(pending.data());
      stream.avail_in = static_cast<uInt>(pending.size());
      stream.next_out = out.data() + filled;
      stream.avail_out = room;
      const int result = inflate(&stream, Z_NO_FLUSH);
      pending = pending.last(stream.avail_in);
      filled += room - stream.avail_out;
      if (result == Z_STREAM_END) {
        next_member(filled);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        throw DataError(fmt::format(
            "{}: expected a gzip stream, found damage after {} unpacked bytes ({}). Get the file "
            "again.",
            path,
            handed_out + filled,
            stream.msg != nullptr ? stream.msg : "no reason given"));
      }
    }
    return filled;
  }
};

ContentReader::ContentReader(const std::filesystem::path& path)
    : state_(std::make_unique<State>(path)) {
  State& state = *state_;
  if (!state.digest || EVP_DigestInit_ex(state.digest.get(), EVP_sha256(), nullptr) != 1) {
    throw InternalError("the SHA-256 of the system's libcrypto failed");
  }
  state.refill();
  if (state.pending.size() >= 2 && state.pending[0] == gzip_magic_0 &&
      state.pending[1] == gzip_magic_1) {
    state.start_gzip();
  }
}

ContentReader::~ContentReader() = default;

std::size_t ContentReader::read(std::span<std::uint8_t> out) {
  State& state = *state_;
  const std::size_t filled = state.gzip ? state.read_gzip(out) : state.read_plain(out);
  EVP_DigestUpdate(state.digest.get(), out.data(), filled);
  state.handed_out += filled;
  return filled;
}

std::uint64_t ContentReader::drain() {
  std::vector<std::uint8_t> buffer(chunk);
  std::uint64_t total = 0;
  std::size_t got = 0;
  do {
    got = read(buffer);
    total += got;
  } while (got == buffer.size());
  return total;
}

std::string ContentReader::sha256() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> value{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->digest.get(), value.data(), &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += fmt::format("{:02x}", value[i]);
  }
  return text;
}

std::uint64_t ContentReader::size_limit() const {
  return state_->gzip ? state_->file_size * deflate_limit : state_->file_size;
}

bool ContentReader::compressed() const {
  return state_->gzip;
}

}  // namespace isthmus
