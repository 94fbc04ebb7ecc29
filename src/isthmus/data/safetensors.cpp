// SPDX-License-Identifier: MIT
#include "isthmus/data/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/output_file.h"
#include "isthmus/data/half.h"
#include "isthmus/data/packed_file.h"
#include "isthmus/data/safetensors_header.h"

namespace isthmus {
namespace {

// As in the format's own library.
constexpr std::uint64_t header_limit = 100'000'000;

// Of one number of a dtype that can be read.
std::uint64_t width_of(std::string_view dtype) {
  return dtype == "F64" ? 8 : dtype == "F32" ? 4 : 2;
}

static_assert(std::endian::native == std::endian::little,
              "numbers are moved between file and memory as they are");

template <typename T>
T load(const std::byte* source) {
  T value{};
  std::memcpy(&value, source, sizeof(T));
  return value;
}

float convert(const TensorInfo& tensor, const std::byte* source, const std::string& path) {
  if (tensor.dtype == "F16") {
    return float_from_half(load<std::uint16_t>(source));
  }
  if (tensor.dtype == "BF16") {
    return float_from_bfloat16(load<std::uint16_t>(source));
  }
  const auto value = load<double>(source);
  const auto rounded = static_cast<float>(value);
  if (std::isinf(rounded) && !std::isinf(value)) {
    throw DataError(
        fmt::format("{}: tensor '{}': expected F64 numbers within the range of float32, found {}. "
                    "Networks here "
                    "compute in float32: scale the network, or train it anew.",
                    path,
                    tensor.name,
                    value));
  }
  return rounded;
}

}  // namespace

std::size_t TensorInfo::size() const {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

bool TensorInfo::readable() const {
  return dtype == "F32" || dtype == "F16" || dtype == "BF16" || dtype == "F64";
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path.string()) {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    const std::string reason = std::strerror(errno);
    if (errno == ENOENT || errno == ENOTDIR) {
      throw MissingInput(fmt::format("{}: no such file", path_));
    }
    throw DataError(fmt::format("{}: cannot be read ({})", path_, reason));
  }
  try {
    read_header();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

SafetensorsFile::~SafetensorsFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

SafetensorsFile::SafetensorsFile(SafetensorsFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      data_start_(other.data_start_),
      tensors_(std::move(other.tensors_)),
      metadata_(std::move(other.metadata_)) {
}

void SafetensorsFile::read_header() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw DataError(S_ISDIR(status.st_mode)
                        ? fmt::format("{}: expected a file, found a folder: name one of its files. "
                                      "It holds {}",
                                      path_,
                                      contents_of(path_))
                        : fmt::format("{}: expected a file, found a device or pipe", path_));
  }
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t header_bytes = 0;
  if (file_bytes < sizeof(header_bytes)) {
    refuse_safetensors(path_, fmt::format("expected at least 8 bytes, found {}", file_bytes));
  }
  read_at(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  if (header_bytes > header_limit || header_bytes > file_bytes - sizeof(header_bytes)) {
    refuse_safetensors(
        path_,
        fmt::format("expected a header of at most {} bytes, the first 8 bytes say {}. It is "
                    "incomplete, or another kind of file.",
                    std::min(header_limit, file_bytes - sizeof(header_bytes)),
                    header_bytes));
  }
  std::string text(static_cast<std::size_t>(header_bytes), '\0');
  read_at(sizeof(header_bytes), std::as_writable_bytes(std::span(text)));
  data_start_ = sizeof(header_bytes) + header_bytes;

  SafetensorsHeader header = parse_safetensors_header(path_, text, file_bytes - data_start_);
  tensors_ = std::move(header.tensors);
  metadata_ = std::move(header.metadata);
}

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(), [&](const TensorInfo& tensor) {
    return tensor.name == name;
  });
  return found == tensors_.end() ? nullptr : &*found;
}

const TensorInfo& SafetensorsFile::get(std::string_view name) const {
  const TensorInfo* tensor = find(name);
  if (tensor == nullptr) {
    std::vector<std::string> names;
    for (const TensorInfo& other : tensors_) {
      names.push_back(other.name);
    }
    throw DataError(fmt::format(
        "{}: expected a tensor '{}', found only: {}", path_, name, fmt::join(names, ", ")));
  }
  if (!tensor->readable()) {
    throw DataError(fmt::format(
        "{}: tensor '{}': expected numbers of dtype F32, F16, BF16 or F64, found {}. Convert it in "
        "Python, for example by tensor.float().",
        path_,
        name,
        tensor->dtype));
  }
  return *tensor;
}

std::vector<float> SafetensorsFile::read(std::string_view name) const {
  const TensorInfo& tensor = get(name);
  return read_numbers(tensor, 0, tensor.size());
}

std::vector<float> SafetensorsFile::read_rows(std::string_view name,
                                              std::size_t first,
                                              std::size_t count) const {
  const TensorInfo& tensor = get(name);
  const std::size_t rows = tensor.shape.empty() ? 1 : tensor.shape[0];
  if (first > rows || count > rows - first) {
    throw UsageError(fmt::format("{}: tensor '{}': expected rows below {}, got {} rows from row {}",
                                 path_,
                                 name,
                                 rows,
                                 count,
                                 first));
  }
  const std::size_t width = rows == 0 ? 0 : tensor.size() / rows;
  return read_numbers(tensor, first * width, count * width);
}

std::vector<float> SafetensorsFile::read_numbers(const TensorInfo& tensor,
                                                 std::size_t first,
                                                 std::size_t count) const {
  std::vector<float> numbers(count);
  const std::uint64_t width = width_of(tensor.dtype);
  const std::uint64_t start = data_start_ + tensor.begin + first * width;
  if (tensor.dtype == "F32") {
    read_at(start, std::as_writable_bytes(std::span(numbers)));
    return numbers;
  }
  std::vector<std::byte> buffer(std::min<std::size_t>(count, std::size_t{1} << 16U) * width);
  for (std::size_t done = 0; done < count;) {
    const std::size_t batch = std::min<std::size_t>(count - done, buffer.size() / width);
    read_at(start + done * width, std::span(buffer).first(batch * width));
    for (std::size_t i = 0; i < batch; ++i) {
      numbers[done + i] = convert(tensor, buffer.data() + i * width, path_);
    }
    done += batch;
  }
  return numbers;
}

void SafetensorsFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      throw DataError(fmt::format("{}: cannot be read at byte {} ({})",
                                  path_,
                                  offset,
                                  got < 0 ? std::strerror(errno) : "the file became shorter"));
    }
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

std::string SafetensorsFile::conversion() const {
  std::map<std::string, std::size_t> counts;
  for (const TensorInfo& tensor : tensors_) {
    if (tensor.readable() && tensor.dtype != "F32") {
      ++counts[tensor.dtype];
    }
  }
  if (counts.empty()) {
    return "";
  }
  std::vector<std::string> parts;
  parts.reserve(counts.size());
  for (const auto& [dtype, count] : counts) {
    parts.push_back(fmt::format("{} tensor{} from {}", count, count == 1 ? "" : "s", dtype));
  }
  return fmt::format("{}: converted to float32: {}", path_, fmt::join(parts, ", "));
}

void write_safetensors(const std::filesystem::path& path,
                       std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = safetensors_header(tensors, metadata);
  const std::uint64_t header_bytes = header.size();
  OutputFile file(path);
  file.write(std::as_bytes(std::span(&header_bytes, 1)));
  file.write(std::as_bytes(std::span(header)));
  for (const NamedTensor& tensor : tensors) {
    for (const std::span<const float> piece : tensor.pieces) {
      file.write(std::as_bytes(piece));
    }
  }
  file.commit();
}

}  // namespace isthmus
