// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus {

/// One tensor of a safetensors file, row-major.
struct TensorInfo {
  std::string name;
  std::string dtype;  ///< as in the file: "F32", "F16", "BF16", "F64", "I64", "F8_E4M3", ...
  std::vector<std::size_t> shape;  ///< empty for a scalar
  std::uint64_t begin = 0;         ///< first byte, from the start of the data
  std::uint64_t end = 0;           ///< one past the last

  /// How many numbers it holds: the product of the shape.
  std::size_t size() const;
  /// Whether read() knows the dtype: F32, F16, BF16 or F64.
  bool readable() const;
};

/// A safetensors file opened for reading: 8 bytes with the length of the header (little-endian),
/// the header in JSON, the data. Tensors are read one by one, or a few rows at a time, never the
/// whole file. All functions but the constructor may be called from several threads at once.
class SafetensorsFile {
 public:
  /// Opens the file and checks all of its header: the shapes against the bytes, and the tensors
  /// covering the data end to end. Throws MissingInput or DataError.
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&& other) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) = delete;

  /// In the order of their data.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The tensor of that name, or null.
  const TensorInfo* find(std::string_view name) const;

  /// All numbers of a tensor as float32. F16 and BF16 convert exactly, F64 is rounded; infinities
  /// and NaN are handed on. Throws DataError if there is no such tensor (naming those there are),
  /// its dtype is none of the four, an F64 number is beyond the range of float32, or the file
  /// shrank.
  std::vector<float> read(std::string_view name) const;
  /// The numbers of rows [first, first + count) along the first dimension: count * size / shape[0]
  /// of them. Throws as read(), and UsageError for rows that are not there.
  std::vector<float> read_rows(std::string_view name, std::size_t first, std::size_t count) const;

  /// What read() converts, for the user: "" if all is F32, else for example
  /// "w.safetensors: converted to float32: 4 tensors from F16".
  std::string conversion() const;

 private:
  void read_header();
  std::vector<float> read_numbers(const TensorInfo& tensor,
                                  std::size_t first,
                                  std::size_t count) const;
  void read_at(std::uint64_t offset, std::span<std::byte> out) const;
  const TensorInfo& get(std::string_view name) const;

  std::string path_;
  int descriptor_ = -1;
  std::uint64_t data_start_ = 0;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// A tensor to be written. Its numbers may lie in several pieces (the beads of a path), which
/// follow each other in the file and hold as many numbers together as the shape says.
struct NamedTensor {
  std::string name;
  std::vector<std::size_t> shape;
  std::vector<std::span<const float>> pieces;
};

/// Writes tensors as F32, in the order given, with metadata of strings. The file appears whole or
/// not at all (see OutputFile), and nothing is copied in memory on the way. The header is padded
/// with spaces to a multiple of 8 bytes. Equal arguments give equal files. Throws WriteError, or
/// UsageError for a name that occurs twice or pieces that do not fit a shape.
void write_safetensors(const std::filesystem::path& path,
                       std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace isthmus
