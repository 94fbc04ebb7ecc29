// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "isthmus/data/dataset.h"

namespace isthmus {

/// An array of unsigned bytes in LeCun's IDX format: two zero bytes, the type (8: unsigned byte),
/// the number of dimensions, each dimension as a big-endian 32-bit number, then the values, the
/// last dimension running fastest.
struct IdxArray {
  std::vector<std::size_t> shape;   ///< at least one dimension, none of them 0
  std::vector<std::uint8_t> bytes;  ///< as many as the product of the shape
  std::string sha256;               ///< of the whole unpacked file, header included
};

/// Reads an IDX file, plain or gzip (told by its content). Throws MissingInput, or DataError for
/// anything but a whole IDX file of unsigned bytes: another magic or type, a dimension of 0, fewer
/// or more bytes than the shape says, a damaged gzip stream. Never allocates more than the file
/// could hold. Safe to call from any thread.
IdxArray read_idx(const std::filesystem::path& path);

/// Reads the shape in the header alone. Throws as read_idx for a wrong header.
std::vector<std::size_t> read_idx_shape(const std::filesystem::path& path);

/// Reads one split of a labelled set from its two files. Images of IDX shape (N, h, w) become
/// inputs of shape (1, h, w); other shapes are kept as they are without N. `classes` is the number
/// of classes the labels must be below; 0 takes any label. Appends what was read to `sources`.
/// Throws as read_idx, and DataError if the counts differ or a label is out of range.
Samples read_idx_samples(const std::filesystem::path& images,
                         const std::filesystem::path& labels,
                         std::size_t classes,
                         std::vector<SourceFile>* sources = nullptr);

}  // namespace isthmus
