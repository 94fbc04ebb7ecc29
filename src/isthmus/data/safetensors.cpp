// SPDX-License-Identifier: MIT
#include "isthmus/data/safetensors.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/output_file.h"
#include "isthmus/data/half.h"

namespace isthmus {
namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers are moved between file and memory as they are");

constexpr std::uint64_t header_limit = 100'000'000;  // as in the format's own library
constexpr std::uint64_t alignment = 8;
constexpr int depth_limit = 8;  // names, entries and shapes take three levels
constexpr std::string_view metadata_key = "__metadata__";

struct Dtype {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<Dtype, 15> dtypes{{{"F64", 8},
                                        {"F32", 4},
                                        {"F16", 2},
                                        {"BF16", 2},
                                        {"I64", 8},
                                        {"U64", 8},
                                        {"I32", 4},
                                        {"U32", 4},
                                        {"I16", 2},
                                        {"U16", 2},
                                        {"I8", 1},
                                        {"U8", 1},
                                        {"BOOL", 1},
                                        {"F8_E4M3", 1},
                                        {"F8_E5M2", 1}}};

// 0 for a type that the format does not know.
std::uint64_t bytes_of(std::string_view dtype) {
  const auto* found = std::find_if(
      dtypes.begin(), dtypes.end(), [&](const Dtype& known) { return known.name == dtype; });
  return found == dtypes.end() ? 0 : found->bytes;
}

bool readable(std::string_view dtype) {
  return dtype == "F32" || dtype == "F16" || dtype == "BF16" || dtype == "F64";
}

// The product, or nothing if it does not fit 64 bits.
std::optional<std::uint64_t> product(const std::vector<std::size_t>& shape, std::uint64_t factor) {
  std::uint64_t result = factor;
  for (const std::size_t dimension : shape) {
    if (__builtin_mul_overflow(result, static_cast<std::uint64_t>(dimension), &result)) {
      return std::nullopt;
    }
  }
  return result;
}

// Checks of the header, which all know the file they speak of.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::uint64_t data_bytes)
      : path_(path), data_bytes_(data_bytes) {}

  Json parse(const std::string& text) const {
    std::set<std::string> names;
    const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
      if (depth > depth_limit) {  // the JSON library copies nested values by recursion
        fail("expected a flat header, found one that is nested too deep");
      }
      if (event == Json::parse_event_t::key && depth == 1 &&
          !names.insert(value.get<std::string>()).second) {
        fail(fmt::format("expected every tensor once, found '{}' twice", value.get<std::string>()));
      }
      return true;
    };
    Json header;
    try {
      header = Json::parse(text, check);
    } catch (const Json::exception& error) {
      fail(fmt::format("expected a header in JSON ({})", error.what()));
    }
    if (!header.is_object()) {
      fail("expected a JSON object as the header");
    }
    return header;
  }

  std::map<std::string, std::string> metadata(const Json& value) const {
    std::map<std::string, std::string> result;
    if (!value.is_object()) {
      fail("expected __metadata__ to be an object of strings");
    }
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_string()) {
        fail(fmt::format(
            "expected the metadata '{}' to be a string, found {}", key, entry.type_name()));
      }
      result[key] = entry.get<std::string>();
    }
    return result;
  }

  TensorInfo tensor(const std::string& name, const Json& value) const {
    TensorInfo tensor;
    tensor.name = name;
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
        !value["dtype"].is_string() || !value.contains("shape") || !value["shape"].is_array() ||
        !value.contains("data_offsets") || !value["data_offsets"].is_array() ||
        value["data_offsets"].size() != 2) {
      fail(
          fmt::format("tensor '{}': expected the entries dtype, shape and two data_offsets", name));
    }
    tensor.dtype = value["dtype"].get<std::string>();
    for (const Json& dimension : value["shape"]) {
      tensor.shape.push_back(count(name, dimension));
    }
    tensor.begin = count(name, value["data_offsets"][0]);
    tensor.end = count(name, value["data_offsets"][1]);
    check(tensor);
    return tensor;
  }

  // Sorted by their data, tensors must lie end to end from the first to the last byte.
  void check_cover(const std::vector<TensorInfo>& tensors) const {
    std::uint64_t expected = 0;
    for (const TensorInfo& tensor : tensors) {
      if (tensor.begin != expected) {
        fail(
            fmt::format("tensor '{}': expected its data to begin at byte {}, where the one before "
                        "it ends, found "
                        "{} ({})",
                        tensor.name,
                        expected,
                        tensor.begin,
                        tensor.begin < expected ? "they overlap" : "there is a gap"));
      }
      expected = tensor.end;
    }
    if (expected != data_bytes_) {
      fail(fmt::format("expected {} bytes of data by its header, found {} ({})",
                       expected,
                       data_bytes_,
                       expected > data_bytes_ ? "the file is incomplete: get it again"
                                              : "there is something behind the last tensor"));
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}: not a valid safetensors file: {}", path_, what));
  }

 private:
  std::size_t count(const std::string& name, const Json& value) const {
    if (!value.is_number_unsigned()) {
      fail(fmt::format(
          "tensor '{}': expected whole numbers from 0 in shape and data_offsets, found {}",
          name,
          value.is_number() ? value.dump() : value.type_name()));
    }
    return value.get<std::size_t>();
  }

  void check(const TensorInfo& tensor) const {
    const std::uint64_t width = bytes_of(tensor.dtype);
    if (width == 0) {
      fail(fmt::format(
          "tensor '{}': expected a dtype such as F32, found '{}', which is not supported",
          tensor.name,
          tensor.dtype));
    }
    const std::optional<std::uint64_t> bytes = product(tensor.shape, width);
    if (!bytes || tensor.end < tensor.begin || tensor.end - tensor.begin != *bytes) {
      fail(
          fmt::format("tensor '{}': expected data_offsets that span the bytes of {} numbers of "
                      "shape ({}), found "
                      "[{}, {}]",
                      tensor.name,
                      tensor.dtype,
                      fmt::join(tensor.shape, ", "),
                      tensor.begin,
                      tensor.end));
    }
  }

  const std::string& path_;
  std::uint64_t data_bytes_;
};

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

std::string header_of(std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) {
    header[std::string(metadata_key)] = metadata;
  }
  std::uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    std::uint64_t held = 0;
    for (const std::span<const float> piece : tensor.pieces) {
      held += piece.size();
    }
    const std::optional<std::uint64_t> expected = product(tensor.shape, 1);
    if (!expected || *expected != held) {
      throw UsageError(fmt::format("tensor '{}': expected the numbers of the shape ({}), got {}",
                                   tensor.name,
                                   fmt::join(tensor.shape, ", "),
                                   held));
    }
    if (header.contains(tensor.name) || tensor.name == metadata_key) {
      throw UsageError(fmt::format(
          "tensor '{}': expected names that occur once and are not {}", tensor.name, metadata_key));
    }
    const std::uint64_t end = offset + held * sizeof(float);
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  // Bytes that are not UTF-8 (a file name in the metadata) are replaced rather than refused.
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.append((alignment - text.size() % alignment) % alignment, ' ');
  return text;
}

}  // namespace

std::size_t TensorInfo::size() const {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
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
    throw DataError(fmt::format("{}: expected a file, found a folder or device", path_));
  }
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t header_bytes = 0;
  if (file_bytes < sizeof(header_bytes)) {
    throw DataError(
        fmt::format("{}: not a valid safetensors file: expected at least 8 bytes, found {}",
                    path_,
                    file_bytes));
  }
  read_at(0, std::as_writable_bytes(std::span(&header_bytes, 1)));
  if (header_bytes > header_limit || header_bytes > file_bytes - sizeof(header_bytes)) {
    throw DataError(
        fmt::format("{}: not a valid safetensors file: expected a header of at most {} bytes, the "
                    "first 8 bytes say {}. It is incomplete, or another kind of file.",
                    path_,
                    std::min(header_limit, file_bytes - sizeof(header_bytes)),
                    header_bytes));
  }
  std::string text(static_cast<std::size_t>(header_bytes), '\0');
  read_at(sizeof(header_bytes), std::as_writable_bytes(std::span(text)));
  data_start_ = sizeof(header_bytes) + header_bytes;

  const HeaderParser parser(path_, file_bytes - data_start_);
  const Json header = parser.parse(text);
  for (const auto& [name, value] : header.items()) {
    if (name == metadata_key) {
      metadata_ = parser.metadata(value);
    } else {
      tensors_.push_back(parser.tensor(name, value));
    }
  }
  // An empty tensor begins where its successor does, and comes first.
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  parser.check_cover(tensors_);
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
  if (!readable(tensor->dtype)) {
    throw DataError(
        fmt::format("{}: tensor '{}': expected numbers of dtype F32, F16, BF16 or F64, found {}",
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
  const std::uint64_t width = bytes_of(tensor.dtype);
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
    if (readable(tensor.dtype) && tensor.dtype != "F32") {
      ++counts[tensor.dtype];
    }
  }
  if (counts.empty()) {
    return "";
  }
  std::vector<std::string> parts;
  for (const auto& [dtype, count] : counts) {
    parts.push_back(fmt::format("{} tensor{} from {}", count, count == 1 ? "" : "s", dtype));
  }
  return fmt::format("{}: converted to float32: {}", path_, fmt::join(parts, ", "));
}

void write_safetensors(const std::filesystem::path& path,
                       std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(tensors, metadata);
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
