// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace isthmus {

/// What images go through before a network sees them: (byte / 255 - mean) / deviation, as
/// torchvision's ToTensor and Normalize. One number for all channels, or one for each.
struct Normalisation {
  std::vector<double> mean;
  std::vector<double> deviation;

  bool operator==(const Normalisation&) const = default;
};

/// Reads "MEAN:DEVIATION", each a number or a number for every channel with commas between:
/// "0.1307:0.3081". Throws UsageError that says what was expected.
Normalisation normalisation_of(std::string_view text);

/// As many means as deviations, all finite, deviations > 0. Throws UsageError.
void validate(const Normalisation& normalisation);

/// The value of every byte in every channel, (channels, 256), computed in double and rounded once:
/// Samples::byte_values. Throws UsageError if the numbers are not one or `channels`.
std::vector<float> byte_values(const Normalisation& normalisation, std::size_t channels);

}  // namespace isthmus
