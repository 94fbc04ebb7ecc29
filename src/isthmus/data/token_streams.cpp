// SPDX-License-Identifier: MIT
#include "isthmus/data/token_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

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

Samples window_samples(const TokenStreams& streams) {
  Samples samples;
  samples.count = streams.predictions();
  samples.input_shape = {1};
  samples.streams = streams.streams();
  samples.window = streams.window();
  samples.values.resize(samples.count);
  samples.labels.resize(samples.count);
  const std::size_t size = streams.streams() * streams.window();
  std::vector<std::int32_t> inputs(size);
  for (std::size_t w = 0; w < streams.windows(); ++w) {
    streams.copy_window(w, inputs, std::span(samples.labels).subspan(w * size, size));
    std::ranges::transform(inputs,
                           samples.values.begin() + static_cast<std::ptrdiff_t>(w * size),
                           [](std::int32_t token) { return static_cast<float>(token); });
  }
  return samples;
}

Dataset window_dataset(const TextCorpus& corpus, std::size_t streams, std::size_t window) {
  return {.name = corpus.name,
          .classes = corpus.vocabulary.size(),
          .train = window_samples({corpus.train.tokens, streams, window}),
          .test = window_samples({corpus.test.tokens, streams, window}),
          .sources = corpus.sources()};
}

}  // namespace isthmus
