// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace isthmus {

/// Some samples of a split that stand for all of it: half of them as likely as their losses are
/// large, half as likely as any other. Those that would be drawn more than once are there for
/// certain, of the others every k-th of a running sum of the chances is taken (systematic sampling
/// with probability proportional to size): the same arguments give the same samples.
class LossSample {
 public:
  /// About `count` of `samples`; all of them if they are not more. sizes (samples): losses that are
  /// expected, whose magnitude counts; empty, or of no finite sum: all are alike.
  LossSample(std::size_t samples, std::span<const float> sizes, std::size_t count);

  /// Ascending.
  std::span<const std::uint32_t> indices() const { return indices_; }

  struct Mean {
    double value = 0.0;
    double error = 0.0;  ///< standard error; 0 where no sample is left out
  };
  /// The mean over all samples of what is known of these: values (indices). NaN where one is.
  Mean mean(std::span<const float> values) const;

 private:
  std::size_t samples_;
  std::vector<std::uint32_t> indices_;
  std::vector<double> chances_;  // (indices) of being drawn
};

}  // namespace isthmus
