// SPDX-License-Identifier: MIT
#include "isthmus/data/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/data/content_reader.h"
#include "isthmus/data/file_kind.h"

namespace isthmus {
namespace {

constexpr std::uint8_t type_unsigned_byte = 0x08;

std::string type_name(std::uint8_t type) {
  switch (type) {
    case 0x09:
      return "signed byte";
    case 0x0B:
      return "16-bit integer";
    case 0x0C:
      return "32-bit integer";
    case 0x0D:
      return "32-bit float";
    case 0x0E:
      return "64-bit float";
    default:
      return "unknown";
  }
}

// Reads exactly as many header bytes as asked.
void read_header(ContentReader& reader,
                 const std::filesystem::path& path,
                 std::span<std::uint8_t> out) {
  const std::size_t got = reader.read(out);
  if (got < out.size()) {
    throw DataError(fmt::format(
        "{}: expected an IDX header, found the end of the file within it. The file is incomplete: "
        "get it again.",
        path.string()));
  }
}

std::vector<std::size_t> read_shape(ContentReader& reader, const std::filesystem::path& path) {
  std::array<std::uint8_t, 4> magic{};
  read_header(reader, path, magic);
  if (magic[0] != 0 || magic[1] != 0) {
    const std::string kind = kind_of_content(path);
    throw DataError(
        fmt::format("{}: expected an IDX file, which begins with the bytes 00 00, found {:02x} "
                    "{:02x}. {}",
                    path.string(),
                    magic[0],
                    magic[1],
                    kind.empty() ? "Is it another kind of file?" : kind));
  }
  if (magic[2] != type_unsigned_byte) {
    throw DataError(
        fmt::format("{}: expected IDX values of type 08 (unsigned byte), found type {:02x} ({}). "
                    "Store the data "
                    "as unsigned bytes.",
                    path.string(),
                    magic[2],
                    type_name(magic[2])));
  }
  if (magic[3] == 0) {
    throw DataError(fmt::format("{}: expected at least one dimension in the IDX header, found 0",
                                path.string()));
  }
  std::vector<std::size_t> shape(magic[3]);
  for (std::size_t& dimension : shape) {
    std::array<std::uint8_t, 4> word{};
    read_header(reader, path, word);
    for (const std::uint8_t byte : word) {
      dimension = dimension << 8U | byte;
    }
  }
  return shape;
}

// The number of values, once it is known that the file can hold them.
std::size_t checked_size(const std::vector<std::size_t>& shape,
                         const ContentReader& reader,
                         const std::filesystem::path& path) {
  double size = 1.0;  // cannot overflow: at most 255 factors below 2^32, and inf compares well too
  for (const std::size_t dimension : shape) {
    if (dimension == 0) {
      throw DataError(fmt::format(
          "{}: expected every dimension of the IDX header to be at least 1, found the shape ({})",
          path.string(),
          fmt::join(shape, ", ")));
    }
    size *= static_cast<double>(dimension);
  }
  const std::size_t header = 4 + 4 * shape.size();
  const auto limit = static_cast<double>(reader.size_limit());
  if (size + static_cast<double>(header) > limit) {
    throw DataError(fmt::format(
        "{}: expected {:.0f} bytes of values for the IDX shape ({}), found a file that {} "
        "{:.0f} bytes in all. The file is incomplete or its header damaged: get it again.",
        path.string(),
        size,
        fmt::join(shape, ", "),
        reader.compressed() ? "cannot unpack to more than" : "has",
        limit));
  }
  return static_cast<std::size_t>(size);
}

void check_labels(const IdxArray& labels, const std::filesystem::path& path, std::size_t classes) {
  if (classes == 0) {
    return;
  }
  for (std::size_t i = 0; i < labels.bytes.size(); ++i) {
    if (labels.bytes[i] >= classes) {
      throw DataError(fmt::format("{}: expected labels from 0 to {}, found {} at index {}",
                                  path.string(),
                                  classes - 1,
                                  labels.bytes[i],
                                  i));
    }
  }
}

}  // namespace

std::vector<std::size_t> read_idx_shape(const std::filesystem::path& path) {
  ContentReader reader(path);
  return read_shape(reader, path);
}

IdxArray read_idx(const std::filesystem::path& path) {
  ContentReader reader(path);
  IdxArray array;
  array.shape = read_shape(reader, path);
  const std::size_t size = checked_size(array.shape, reader, path);
  array.bytes.resize(size);
  const std::size_t got = reader.read(array.bytes);
  if (got < size) {
    throw DataError(fmt::format(
        "{}: expected {} bytes of values for the IDX shape ({}), found {}. The file is incomplete: "
        "get it again.",
        path.string(),
        size,
        fmt::join(array.shape, ", "),
        got));
  }
  if (const std::uint64_t more = reader.drain(); more > 0) {
    throw DataError(
        fmt::format("{}: expected {} bytes of values for the IDX shape ({}), found {} more behind "
                    "them. The file "
                    "is not what its header says: get it again.",
                    path.string(),
                    size,
                    fmt::join(array.shape, ", "),
                    more));
  }
  array.sha256 = reader.sha256();
  return array;
}

Samples read_idx_samples(const std::filesystem::path& images,
                         const std::filesystem::path& labels,
                         std::size_t classes,
                         std::vector<SourceFile>* sources) {
  IdxArray inputs = read_idx(images);
  const IdxArray targets = read_idx(labels);
  if (inputs.shape.size() < 2) {
    throw DataError(fmt::format(
        "{}: expected images of IDX shape (N, height, width), found the shape ({}). Are "
        "these labels?",
        images.string(),
        fmt::join(inputs.shape, ", ")));
  }
  if (targets.shape.size() != 1) {
    throw DataError(
        fmt::format("{}: expected labels of IDX shape (N), found the shape ({}). Are these images?",
                    labels.string(),
                    fmt::join(targets.shape, ", ")));
  }
  if (inputs.shape[0] != targets.shape[0]) {
    throw DataError(fmt::format(
        "{}: expected one label for each of the {} images of {}, found {} labels. Do the "
        "two files belong together?",
        labels.string(),
        inputs.shape[0],
        images.string(),
        targets.shape[0]));
  }
  check_labels(targets, labels, classes);

  Samples samples;
  samples.count = inputs.shape[0];
  samples.input_shape.assign(inputs.shape.begin() + 1, inputs.shape.end());
  if (samples.input_shape.size() == 2) {
    samples.input_shape.insert(samples.input_shape.begin(), 1);
  }
  samples.bytes = std::move(inputs.bytes);
  samples.labels.assign(targets.bytes.begin(), targets.bytes.end());
  if (sources != nullptr) {
    sources->push_back({images.filename().string(), std::move(inputs.sha256)});
    sources->push_back({labels.filename().string(), targets.sha256});
  }
  return samples;
}

}  // namespace isthmus
