// SPDX-License-Identifier: MIT
#include "isthmus/data/token_streams.h"

#include <fmt/format.h>

#include "isthmus/core/error.h"

namespace isthmus {

TokenStreams::TokenStreams(std::span<const std::int32_t> tokens,
                           std::size_t streams,
                           std::size_t window)
    : tokens_(tokens), streams_(streams), window_(window) {
  if (streams == 0 || window == 0) {
    throw UsageError(fmt::format(
        "token streams: expected at least 1 stream and a window of at least 1 token, got {} and {}",
        streams,
        window));
  }
  length_ = tokens.size() / streams;
  windows_ = length_ == 0 ? 0 : (length_ - 1) / window;
  if (windows_ == 0) {
    throw UsageError(
        fmt::format("token streams: expected a text that fills one window of {} + 1 tokens in each "
                    "of {} streams, got {} tokens: take fewer streams or a shorter window",
                    window,
                    streams,
                    tokens.size()));
  }
}

std::span<const std::int32_t> TokenStreams::at(std::size_t w,
                                               std::size_t b,
                                               std::size_t ahead) const {
  ISTHMUS_ASSERT(w < windows_ && b < streams_, "a window and a stream that there are");
  return tokens_.subspan(b * length_ + w * window_ + ahead, window_);
}

std::span<const std::int32_t> TokenStreams::inputs(std::size_t w, std::size_t b) const {
  return at(w, b, 0);
}

std::span<const std::int32_t> TokenStreams::targets(std::size_t w, std::size_t b) const {
  return at(w, b, 1);
}

void TokenStreams::copy_window(std::size_t w,
                               std::span<std::int32_t> inputs,
                               std::span<std::int32_t> targets) const {
  const std::size_t size = window_ * streams_;
  if (inputs.size() != size || targets.size() != size) {
    throw UsageError(fmt::format(
        "a window of token streams: expected room for (T, B) = ({}, {}) inputs and targets, got {} "
        "and {}",
        window_,
        streams_,
        inputs.size(),
        targets.size()));
  }
  for (std::size_t b = 0; b < streams_; ++b) {
    const std::span<const std::int32_t> shown = at(w, b, 0);
    const std::span<const std::int32_t> wanted = at(w, b, 1);
    for (std::size_t t = 0; t < window_; ++t) {
      inputs[t * streams_ + b] = shown[t];
      targets[t * streams_ + b] = wanted[t];
    }
  }
}

}  // namespace isthmus
