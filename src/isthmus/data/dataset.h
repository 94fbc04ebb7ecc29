// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/names.h"

namespace isthmus {

enum class Split { train, test };

template <>
inline constexpr auto enum_names<Split> =
    name_table<Split>("split", {{Split::train, "train"}, {Split::test, "test"}});

/// The samples of one split. Inputs are stored once, either as float values or as bytes whose value
/// is byte / 255, or stands in a table (images: a quarter of the memory). Targets are labels or
/// real vectors.
struct Samples {
  std::size_t count = 0;                 ///< N
  std::vector<std::size_t> input_shape;  ///< of one sample, e.g. {1, 28, 28} or {1}
  std::vector<float> values;             ///< (N, features), or empty
  std::vector<std::uint8_t> bytes;       ///< (N, features), or empty
  /// Of bytes: (channels, 256), the value of every byte in every channel; empty: byte / 255.
  std::vector<float> byte_values;
  std::vector<std::int32_t> labels;  ///< (N), in [0, classes); or empty
  std::vector<float> targets;        ///< (N, outputs), or empty
  /// Sequences: sample i is the next of stream i % streams, `window` of each are a batch, and N is
  /// a multiple of both together. 0: the samples are independent.
  std::size_t streams = 0;
  std::size_t window = 0;

  /// Numbers in one input: the product of input_shape.
  std::size_t features() const;
  /// Numbers in one real target: targets.size() / N.
  std::size_t outputs() const;
  /// Writes input i as floats; `input` has size features().
  void copy_input(std::size_t i, float* input) const;
};

/// A file that a data set was read from, for the record of a run.
struct SourceFile {
  std::string name;    ///< file name without its folder
  std::string sha256;  ///< of the unpacked content
};

struct Dataset {
  std::string name;
  std::size_t classes = 0;  ///< of a classification task; 0 for regression
  Samples train;
  Samples test;
  std::vector<SourceFile> sources;  ///< empty for generated data

  const Samples& split(Split which) const { return which == Split::train ? train : test; }
};

}  // namespace isthmus
