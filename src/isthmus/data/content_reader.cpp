// SPDX-License-Identifier: MIT
#include "isthmus/data/content_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <lzma.h>
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
constexpr std::array<std::uint8_t, 6> xz_magic{0xfd, '7', 'z', 'X', 'Z', 0x00};
// The longest match of LZMA, 273 bytes, takes at least 14 binary decisions, and the most probable
// decision (2017 of 2048) costs 0.022 bits: 7090 to 1.
constexpr std::uint64_t lzma_limit = 7100;
// `xz -9` needs 65 MiB; a header may ask for 4 GiB.
constexpr std::uint64_t xz_memory = std::uint64_t{256} << 20U;

enum class Packing { none, gzip, xz };

Packing packing_of(std::span<const std::uint8_t> start) {
  if (start.size() >= 2 && start[0] == gzip_magic_0 && start[1] == gzip_magic_1) {
    return Packing::gzip;
  }
  if (start.size() >= xz_magic.size() &&
      std::equal(xz_magic.begin(), xz_magic.end(), start.begin())) {
    return Packing::xz;
  }
  return Packing::none;
}

const char* reason_of(lzma_ret result) {
  switch (result) {
    case LZMA_FORMAT_ERROR:
      return "not an xz header";
    case LZMA_OPTIONS_ERROR:
      return "an unknown filter or option";
    default:
      return "wrong data or checksum";
  }
}

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
  Packing packing = Packing::none;
  bool ended = false;
  std::uint64_t handed_out = 0;
  z_stream stream{};
  lzma_stream xz_stream = LZMA_STREAM_INIT;
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
    if (packing == Packing::gzip) {
      inflateEnd(&stream);
    }
    lzma_end(&xz_stream);
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

  void start() {
    refill();
    packing = packing_of(pending);
    // 16: expect a gzip wrapper, and check its CRC and length.
    if (packing == Packing::gzip && inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
      throw InternalError("zlib's inflate could not be started (out of memory?)");
    }
    if (packing == Packing::xz) {
      start_xz();
    }
  }

  // Also for a further stream: liblzma then uses its memory again.
  void start_xz() {
    if (lzma_stream_decoder(&xz_stream, xz_memory, 0) != LZMA_OK) {
      throw InternalError("liblzma's decoder could not be started (out of memory?)");
    }
  }

  [[noreturn]] void fail_incomplete(std::string_view kind, std::size_t filled) const {
    throw DataError(fmt::format(
        "{}: expected more of its {} stream, found the end of the file after {} unpacked "
        "bytes. The file is incomplete: get it again.",
        path,
        kind,
        handed_out + filled));
  }

  // At the end of one stream: another of its kind may follow (`magic` is its first byte), anything
  // else is garbage. Whether there is one.
  bool next_stream(std::uint8_t magic, std::string_view kind, std::size_t filled) {
    if (!refill()) {
      ended = true;
      return false;
    }
    if (pending[0] != magic) {
      throw DataError(fmt::format(
          "{}: expected the end of the file after its {} stream ({} bytes unpacked), found other "
          "bytes behind it. The file is not what was published: get it again.",
          path,
          kind,
          handed_out + filled));
    }
    return true;
  }

  std::size_t read_gzip(std::span<std::uint8_t> out) {
    std::size_t filled = 0;
    while (!ended && filled < out.size()) {
      if (!refill()) {
        fail_incomplete("gzip", filled);
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
        if (next_stream(gzip_magic_0, "gzip", filled)) {
          inflateReset(&stream);
        }
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

  // Anything but progress or the end of the last stream.
  [[noreturn]] void fail_xz(lzma_ret result, std::size_t filled) const {
    if (result == LZMA_BUF_ERROR) {
      fail_incomplete("xz", filled);
    }
    if (result == LZMA_MEMLIMIT_ERROR) {
      throw DataError(
          fmt::format("{}: expected an xz stream that needs at most {} MiB to unpack, found one "
                      "that needs {} MiB. Pack it with 'xz -9' or less.",
                      path,
                      xz_memory >> 20U,
                      lzma_memusage(&xz_stream) >> 20U));
    }
    if (result == LZMA_MEM_ERROR || result == LZMA_PROG_ERROR) {
      throw InternalError("liblzma's decoder failed (out of memory?)");
    }
    throw DataError(fmt::format(
        "{}: expected an xz stream, found damage after {} unpacked bytes ({}). Get the file again.",
        path,
        handed_out + filled,
        reason_of(result)));
  }

  // Zeros behind a stream belong to it, in groups of four.
  void skip_xz_padding(std::size_t filled) {
    std::size_t zeros = 0;
    while (refill() && pending[0] == 0) {
      pending = pending.subspan(1);
      ++zeros;
    }
    if (zeros % 4 != 0) {
      fail_xz(LZMA_DATA_ERROR, filled);
    }
  }

  std::size_t read_xz(std::span<std::uint8_t> out) {
    xz_stream.next_out = out.data();
    xz_stream.avail_out = out.size();
    while (!ended && xz_stream.avail_out > 0) {
      const lzma_action action = refill() ? LZMA_RUN : LZMA_FINISH;
      xz_stream.next_in = pending.data();
      xz_stream.avail_in = pending.size();
      const lzma_ret result = lzma_code(&xz_stream, action);
      pending = pending.last(xz_stream.avail_in);
      const std::size_t filled = out.size() - xz_stream.avail_out;
      if (result == LZMA_STREAM_END) {
        skip_xz_padding(filled);
        if (next_stream(xz_magic[0], "xz", filled)) {
          start_xz();
        }
      } else if (result != LZMA_OK) {
        fail_xz(result, filled);
      }
    }
    return out.size() - xz_stream.avail_out;
  }

  std::size_t read(std::span<std::uint8_t> out) {
    switch (packing) {
      case Packing::gzip:
        return read_gzip(out);
      case Packing::xz:
        return read_xz(out);
      case Packing::none:
        break;
    }
    return read_plain(out);
  }
};

ContentReader::ContentReader(const std::filesystem::path& path)
    : state_(std::make_unique<State>(path)) {
  State& state = *state_;
  if (!state.digest || EVP_DigestInit_ex(state.digest.get(), EVP_sha256(), nullptr) != 1) {
    throw InternalError("the SHA-256 of the system's libcrypto failed");
  }
  state.start();
}

ContentReader::~ContentReader() = default;

std::size_t ContentReader::read(std::span<std::uint8_t> out) {
  State& state = *state_;
  const std::size_t filled = state.read(out);
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
  switch (state_->packing) {
    case Packing::gzip:
      return state_->file_size * deflate_limit;
    case Packing::xz:
      return state_->file_size * lzma_limit;
    case Packing::none:
      break;
  }
  return state_->file_size;
}

bool ContentReader::compressed() const {
  return state_->packing != Packing::none;
}

}  // namespace isthmus
