// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "isthmus/data/dataset.h"
#include "isthmus/data/text.h"

namespace isthmus {

/// A text in the order in which a recurrent network reads it: cut into B streams of equal length
/// that are read side by side, T tokens at a time.
///
/// Of n tokens, stream b is [b L, (b + 1) L) with L = floor(n / B); what is left at the end of the
/// text is dropped. Window w = 0, ..., W - 1 of a stream is its tokens [w T, (w + 1) T), and the
/// network predicts the tokens one further, [w T + 1, (w + 1) T + 1): hence W = floor((L - 1) / T).
/// A network's state after window w of a stream is its state before window w + 1; before window 0
/// it is zero. (TensorFlow's `ptb_iterator`: the published 20 x 20 of the Penn Treebank's test
/// text have 206 windows, 82,400 predictions.)
///
/// A view: the tokens must outlive it. Immutable, so it may be shared by threads.
class TokenStreams {
 public:
  /// Throws UsageError unless `streams` = B and `window` = T are at least 1 and the text fills one
  /// window of every stream: n >= B (T + 1).
  TokenStreams(std::span<const std::int32_t> tokens, std::size_t streams, std::size_t window);

  std::size_t streams() const { return streams_; }  ///< B
  std::size_t window() const { return window_; }    ///< T
  std::size_t windows() const { return windows_; }  ///< W
  /// Predictions in one pass: W T B.
  std::size_t predictions() const { return windows_ * window_ * streams_; }

  /// The tokens that stream `b` < B shows in window `w` < W: (T).
  std::span<const std::int32_t> inputs(std::size_t w, std::size_t b) const;
  /// The tokens to be predicted, one for each of inputs(w, b): (T).
  std::span<const std::int32_t> targets(std::size_t w, std::size_t b) const;

  /// Window `w` of all streams with time running slowest, as one step of a recurrent layer takes
  /// it: `inputs` and `targets` are (T, B). Throws UsageError if their sizes are not T B.
  void copy_window(std::size_t w,
                   std::span<std::int32_t> inputs,
                   std::span<std::int32_t> targets) const;

 private:
  std::span<const std::int32_t> at(std::size_t w, std::size_t b, std::size_t ahead) const;

  std::span<const std::int32_t> tokens_;
  std::size_t streams_;
  std::size_t window_;
  std::size_t length_ = 0;  // L
  std::size_t windows_ = 0;
};

/// All windows as samples: token by token the input (one number, the token) and as its label the
/// token one further. Sample (w T + t) B + b is token t of window w of stream b.
Samples window_samples(const TokenStreams& streams);

/// A corpus as a data set of windows: its train and test splits, and the words as classes. (The
/// validation split is not used.) Throws UsageError as TokenStreams.
Dataset window_dataset(const TextCorpus& corpus, std::size_t streams, std::size_t window);

}  // namespace isthmus
