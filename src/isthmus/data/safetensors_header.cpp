// SPDX-License-Identifier: MIT
#include "isthmus/data/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/data/file_kind.h"

namespace isthmus {
namespace {

constexpr std::uint64_t alignment = 8;
constexpr int depth_limit = 8;  // names, entries and shapes take three levels
constexpr std::string_view metadata_key = "__metadata__";

struct Dtype {
  std::string_view name;
  std::uint64_t bits;
};
// Those of safetensors 0.8.
constexpr std::array<Dtype, 22> dtypes{
    {{"F64", 64},    {"F32", 32},        {"F16", 16},        {"BF16", 16},   {"I64", 64},
     {"U64", 64},    {"I32", 32},        {"U32", 32},        {"I16", 16},    {"U16", 16},
     {"I8", 8},      {"U8", 8},          {"BOOL", 8},        {"F8_E4M3", 8}, {"F8_E5M2", 8},
     {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6},
     {"F4", 4},      {"C64", 64}}};

// 0 for a type that this does not know.
std::uint64_t bits_of(std::string_view dtype) {
  const auto* found = std::find_if(
      dtypes.begin(), dtypes.end(), [&](const Dtype& known) { return known.name == dtype; });
  return found == dtypes.end() ? 0 : found->bits;
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

  [[noreturn]] void fail(const std::string& what) const { refuse_safetensors(path_, what); }

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
    const std::uint64_t width = bits_of(tensor.dtype);
    const std::optional<std::uint64_t> bits = product(tensor.shape, width);
    const bool known = width != 0;
    if (!bits || tensor.end < tensor.begin ||
        (known && (*bits % 8 != 0 || tensor.end - tensor.begin != *bits / 8))) {
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

}  // namespace

SafetensorsHeader parse_safetensors_header(const std::string& path,
                                           const std::string& text,
                                           std::uint64_t data_bytes) {
  const HeaderParser parser(path, data_bytes);
  const Json json = parser.parse(text);
  SafetensorsHeader header;
  for (const auto& [name, value] : json.items()) {
    if (name == metadata_key) {
      header.metadata = parser.metadata(value);
    } else {
      header.tensors.push_back(parser.tensor(name, value));
    }
  }
  // An empty tensor begins where its successor does, and comes first.
  std::sort(
      header.tensors.begin(), header.tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
      });
  parser.check_cover(header.tensors);
  return header;
}

std::string safetensors_header(std::span<const NamedTensor> tensors,
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

void refuse_safetensors(const std::string& path, const std::string& what) {
  const std::string kind = kind_of_file(path);
  throw DataError(kind.empty() ? fmt::format("{}: not a valid safetensors file: {}", path, what)
                               : fmt::format("{}: expected a safetensors file. {}", path, kind));
}

}  // namespace isthmus
