// SPDX-License-Identifier: MIT
#include "isthmus/data/token_streams.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using Tokens = std::vector<std::int32_t>;

Tokens numbered(std::size_t count) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

Tokens copy(std::span<const std::int32_t> tokens) {
  return {tokens.begin(), tokens.end()};
}

TEST(TokenStreams, a_case_by_hand) {
  // L = 7: streams 0-6 and 7-13, token 14 is left over; W = (7 - 1) / 3 = 2.
  const Tokens tokens = numbered(15);
  const TokenStreams streams(tokens, 2, 3);
  EXPECT_EQ(streams.streams(), 2U);
  EXPECT_EQ(streams.window(), 3U);
  ASSERT_EQ(streams.windows(), 2U);
  EXPECT_EQ(streams.predictions(), 12U);
  EXPECT_EQ(copy(streams.inputs(0, 0)), (Tokens{0, 1, 2}));
  EXPECT_EQ(copy(streams.targets(0, 0)), (Tokens{1, 2, 3}));
  EXPECT_EQ(copy(streams.inputs(1, 0)), (Tokens{3, 4, 5}));
  EXPECT_EQ(copy(streams.targets(1, 0)), (Tokens{4, 5, 6}));
  EXPECT_EQ(copy(streams.inputs(1, 1)), (Tokens{10, 11, 12}));
  EXPECT_EQ(copy(streams.targets(1, 1)), (Tokens{11, 12, 13}));

  Tokens inputs(6);
  Tokens targets(6);
  streams.copy_window(1, inputs, targets);
  EXPECT_EQ(inputs, (Tokens{3, 10, 4, 11, 5, 12}));
  EXPECT_EQ(targets, (Tokens{4, 11, 5, 12, 6, 13}));
}

TEST(TokenStreams, the_counts_of_the_published_protocol) {
  const auto windows = [](std::size_t tokens) {
    const Tokens text(tokens);
    return TokenStreams(text, 20, 20).windows();
  };
  EXPECT_EQ(windows(929589), 2323U);
  EXPECT_EQ(windows(73760), 184U);
  EXPECT_EQ(windows(82430), 206U);  // 82,400 predictions
}

// For any sizes: a stream's windows continue each other, so that the state can be carried; no token
// is shown twice; a target is the token behind its input; only what cannot fill a window is lost.
TEST(TokenStreams, properties) {
  Rng rng(1);
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t count = 2 + rng.below(500);
    const std::size_t streams_count = 1 + rng.below(count / 2);
    const std::size_t window = 1 + rng.below(count / streams_count - 1);
    SCOPED_TRACE(::testing::Message()
                 << count << " tokens, " << streams_count << " streams of " << window);
    const Tokens tokens = numbered(count);
    const TokenStreams streams(tokens, streams_count, window);
    std::set<std::int32_t> shown;
    for (std::size_t b = 0; b < streams_count; ++b) {
      std::int32_t next = streams.inputs(0, b)[0];
      EXPECT_EQ(next, static_cast<std::int32_t>(b * (count / streams_count)));
      for (std::size_t w = 0; w < streams.windows(); ++w) {
        const auto inputs = streams.inputs(w, b);
        const auto targets = streams.targets(w, b);
        ASSERT_EQ(inputs.size(), window);
        ASSERT_EQ(targets.size(), window);
        for (std::size_t t = 0; t < window; ++t) {
          ASSERT_EQ(inputs[t], next);
          ASSERT_EQ(targets[t], next + 1);
          EXPECT_TRUE(shown.insert(next).second);
          ++next;
        }
      }
      const auto end = static_cast<std::int32_t>((b + 1) * (count / streams_count));
      EXPECT_LT(next, end);
      EXPECT_GE(next + static_cast<std::int32_t>(window) + 1, end + 1);
    }
    EXPECT_EQ(shown.size(), streams.predictions());
  }
}

TEST(TokenStreams, the_smallest_text) {
  const Tokens tokens = numbered(12);
  EXPECT_EQ(TokenStreams(tokens, 3, 3).windows(), 1U);
  expect_error<UsageError>([&] { TokenStreams(tokens, 3, 4); },
                           {"4 + 1 tokens", "3 streams", "got 12 tokens"});
  expect_error<UsageError>([&] { TokenStreams(std::span(tokens).first(11), 3, 3); },
                           {"got 11 tokens"});
  expect_error<UsageError>([&] { TokenStreams(std::span(tokens).first(0), 1, 1); },
                           {"got 0 tokens"});
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  EXPECT_THROW(TokenStreams(tokens, huge, 1), UsageError);
  EXPECT_THROW(TokenStreams(tokens, 1, huge), UsageError);
}

TEST(TokenStreams, wrong_arguments) {
  const Tokens tokens = numbered(12);
  expect_error<UsageError>([&] { TokenStreams(tokens, 0, 3); }, {"got 0 and 3"});
  expect_error<UsageError>([&] { TokenStreams(tokens, 3, 0); }, {"got 3 and 0"});
  const TokenStreams streams(tokens, 2, 5);
  Tokens right(10);
  Tokens wrong(9);
  expect_error<UsageError>([&] { streams.copy_window(0, wrong, right); }, {"(5, 2)", "got 9 and"});
  expect_error<UsageError>([&] { streams.copy_window(0, right, wrong); }, {"and 9"});
  EXPECT_THROW(streams.inputs(1, 0), InternalError);
  EXPECT_THROW(streams.targets(0, 2), InternalError);
}

TEST(TokenStreams, windows_as_samples) {
  const Tokens tokens = numbered(15);
  const Samples samples = window_samples({tokens, 2, 3});
  EXPECT_EQ(samples.count, 12U);
  EXPECT_EQ(samples.streams, 2U);
  EXPECT_EQ(samples.window, 3U);
  EXPECT_EQ(samples.input_shape, std::vector<std::size_t>{1});
  EXPECT_EQ(samples.values, (std::vector<float>{0, 7, 1, 8, 2, 9, 3, 10, 4, 11, 5, 12}));
  EXPECT_EQ(samples.labels, (Tokens{1, 8, 2, 9, 3, 10, 4, 11, 5, 12, 6, 13}));
}

}  // namespace
}  // namespace isthmus
