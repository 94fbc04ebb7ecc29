// SPDX-License-Identifier: MIT
// Sequences in the dnn engine: embeddings, LSTM layers and tied layers against the double-precision
// reference, and how a state goes on from batch to batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/dnn/loops.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

struct Sequences {
  Network network;
  std::size_t streams = 0;
  std::size_t steps = 0;
  std::vector<float> theta;
  std::vector<float> inputs;
  std::vector<std::int32_t> labels;
  std::vector<float> state;

  // `count` steps from step `from` on.
  BatchView part(std::size_t from, std::size_t count, float* with_state) const {
    return {.count = count * streams,
            .inputs = inputs.data() + from * streams,
            .labels = labels.data() + from * streams,
            .streams = streams,
            .state = with_state};
  }
};

Sequences random_sequences(std::uint64_t seed) {
  Rng rng(stream_name({seed, 77}));
  Sequences made;
  const std::size_t tokens = 3 + rng.below(30);
  const bool tied = rng.below(3) == 0;
  const std::size_t features = 1 + rng.below(20);
  made.network.input = {1};
  made.network.layers.emplace_back(Embedding{.tokens = tokens, .features = features});
  const std::size_t depth = 1 + rng.below(3);
  for (std::size_t i = 0; i < depth; ++i) {
    const bool last = i + 1 == depth;
    made.network.layers.emplace_back(Lstm{.features = tied && last ? features : 1 + rng.below(40)});
    if (rng.below(3) == 0) {
      made.network.layers.emplace_back(Activation{Activation::Kind::tanh});
    }
  }
  made.network.layers.emplace_back(Linear{.out_features = tokens, .tied = tied});
  made.streams = 1 + rng.below(5);
  made.steps = 2 + rng.below(7);
  const std::size_t count = made.streams * made.steps;
  made.theta.resize(layout_of(made.network).dimension());
  initialise(made.network, rng, made.theta);
  for (std::size_t i = 0; i < count; ++i) {
    made.inputs.push_back(static_cast<float>(rng.below(tokens)));
    made.labels.push_back(static_cast<std::int32_t>(rng.below(tokens)));
  }
  made.state.resize(state_size(made.network) * made.streams);
  std::ranges::generate(made.state, [&] { return static_cast<float>(0.5 * rng.normal()); });
  return made;
}

class DnnRecurrent : public testing::TestWithParam<std::uint64_t> {
 protected:
  Sequences case_ = random_sequences(GetParam());
  std::string described_ = to_json(case_.network).dump();
};

TEST_P(DnnRecurrent, OutputsAndLossesAgreeWithTheReference) {
  SCOPED_TRACE(described_);
  const auto engine = make_dnn_engine(case_.network, 16);
  std::vector<float> state = case_.state;
  const BatchView batch = case_.part(0, case_.steps, state.data());
  const std::vector<double> theta(case_.theta.begin(), case_.theta.end());
  std::vector<double> expected(batch.count * engine->outputs());
  reference_forward(case_.network, theta, batch, expected);
  const double loss = reference_loss(case_.network, theta, batch, Loss::cross_entropy);
  std::vector<float> outputs(expected.size());
  engine->forward(case_.theta, batch, outputs);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(outputs[i], expected[i], 1e-5 * (1.0 + std::abs(expected[i])));
  }
  state = case_.state;
  double found = 0.0;
  engine->losses(case_.theta, batch, Loss::cross_entropy, {&found, 1});
  EXPECT_NEAR(found, loss, 1e-5 * (1.0 + loss));
}

TEST_P(DnnRecurrent, GradientIsTheDerivativeOfTheReference) {
  SCOPED_TRACE(described_);
  const auto engine = make_dnn_engine(case_.network, 16);
  std::vector<float> state = case_.state;
  std::vector<float> gradient(case_.theta.size(), -1.0F);
  double loss = 0.0;
  engine->losses_and_gradients(case_.theta,
                               case_.part(0, case_.steps, state.data()),
                               Loss::cross_entropy,
                               nullptr,
                               {&loss, 1},
                               gradient);
  state = case_.state;
  const BatchView batch = case_.part(0, case_.steps, state.data());
  std::vector<double> theta(case_.theta.begin(), case_.theta.end());
  Rng rng(GetParam(), 5);
  const Layout layout = layout_of(case_.network);
  for (const Tensor& tensor : layout.tensors()) {
    for (int sample = 0; sample < 6; ++sample) {
      const std::size_t i = tensor.offset + rng.below(tensor.size());
      const double kept = theta[i];
      constexpr double step = 1e-5;
      theta[i] = kept + step;
      const double above = reference_loss(case_.network, theta, batch, Loss::cross_entropy);
      theta[i] = kept - step;
      const double below = reference_loss(case_.network, theta, batch, Loss::cross_entropy);
      theta[i] = kept;
      EXPECT_NEAR(gradient[i], (above - below) / (2.0 * step), 2e-5) << tensor.name;
    }
  }
}

TEST_P(DnnRecurrent, ASequenceInPartsIsTheWholeSequence) {
  SCOPED_TRACE(described_);
  const auto engine = make_dnn_engine(case_.network, 16);
  std::vector<float> whole_state = case_.state;
  std::vector<float> whole(case_.steps * case_.streams * engine->outputs());
  engine->forward(case_.theta, case_.part(0, case_.steps, whole_state.data()), whole);
  EXPECT_NE(whole_state, case_.state);
  std::vector<float> state = case_.state;
  std::vector<float> parts(whole.size());
  const std::size_t cut = case_.steps / 2;
  const std::size_t place = cut * case_.streams * engine->outputs();
  engine->forward(case_.theta, case_.part(0, cut, state.data()), std::span(parts).first(place));
  engine->forward(case_.theta,
                  case_.part(cut, case_.steps - cut, state.data()),
                  std::span(parts).subspan(place));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    ASSERT_NEAR(whole[i], parts[i], 1e-5 * (1.0 + std::abs(whole[i])));
  }
  for (std::size_t i = 0; i < state.size(); ++i) {
    ASSERT_NEAR(whole_state[i], state[i], 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DnnRecurrent, testing::Range<std::uint64_t>(0, 25));

Network language_model() {
  return {
      .input = {1},
      .layers = {
          Embedding{.tokens = 10, .features = 4}, Lstm{.features = 6}, Linear{.out_features = 10}}};
}

// Longer than a block of evaluation: the state goes on inside the engine too.
TEST(DnnRecurrentEngine, ALongSequenceIsOnePass) {
  const Network network = language_model();
  Rng rng(3);
  std::vector<float> theta(layout_of(network).dimension());
  initialise(network, rng, theta);
  constexpr std::size_t count = 1500;
  std::vector<float> inputs(count);
  std::ranges::generate(inputs, [&] { return static_cast<float>(rng.below(10)); });
  const std::vector<std::int32_t> labels(count, 3);
  const BatchView batch{
      .count = count, .inputs = inputs.data(), .labels = labels.data(), .streams = 3};
  const std::vector<double> wide(theta.begin(), theta.end());
  const double expected = reference_loss(network, wide, batch, Loss::cross_entropy);
  const auto engine = make_dnn_engine(network, 16);
  double found = 0.0;
  engine->losses(theta, batch, Loss::cross_entropy, {&found, 1});
  EXPECT_NEAR(found, expected, 1e-5 * expected);
  // A null state is zero at every call: nothing is remembered.
  double again = 0.0;
  engine->losses(theta, batch, Loss::cross_entropy, {&again, 1});
  EXPECT_EQ(found, again);
}

TEST(DnnRecurrentEngine, ATokenOutsideTheVocabularyIsRefused) {
  const auto engine = make_dnn_engine(language_model(), 4);
  const std::vector<float> theta(engine->dimension());
  std::vector<float> outputs(10);
  for (const float token : {10.0F, -1.0F, 2.5F, std::numeric_limits<float>::quiet_NaN(), 1e20F}) {
    const BatchView batch{.count = 1, .inputs = &token};
    EXPECT_THROW(engine->forward(theta, batch, outputs), UsageError) << token;
  }
}

TEST(DnnRecurrentEngine, SamplesThatDoNotFillTheStreamsAreRefused) {
  const auto engine = make_dnn_engine(language_model(), 4);
  const std::vector<float> theta(engine->dimension());
  const std::vector<float> inputs(5);
  std::vector<float> outputs(50);
  const BatchView batch{.count = 5, .inputs = inputs.data(), .streams = 2};
  EXPECT_THROW(engine->forward(theta, batch, outputs), UsageError);
}

TEST(DnnLoops, AllInstructionSetsGiveTheSameBits) {
  std::size_t count = 0;
  const dnn::Loops* const* all = dnn::available_loops(count);
  constexpr std::size_t streams = 3;
  constexpr std::size_t width = 37;
  Rng rng(9);
  const auto draw = [&](std::size_t size, double scale) {
    std::vector<float> values(size);
    std::ranges::generate(values, [&] { return static_cast<float>(scale * rng.normal()); });
    return values;
  };
  const std::vector<float> sums = draw(streams * 4 * width, 4.0);
  const std::vector<float> before = draw(streams * width, 1.0);
  const std::vector<float> by_hidden = draw(streams * width, 1.0);
  std::vector<std::vector<float>> results(count);
  for (std::size_t set = 0; set < count; ++set) {
    std::vector<float> gates = sums;
    std::vector<float> cell(streams * width), hidden(cell.size()), by_cell(cell.size(), 0.25F);
    std::vector<float> by_gates(gates.size());
    const dnn::CellStep step{.streams = streams,
                             .features = width,
                             .gates = gates.data(),
                             .cell_before = before.data(),
                             .cell = cell.data(),
                             .hidden = hidden.data(),
                             .hidden_gradient = by_hidden.data(),
                             .cell_gradient = by_cell.data(),
                             .gates_gradient = by_gates.data()};
    all[set]->cell_forward(step);
    all[set]->cell_backward(step);
    std::vector<float> powers(sums.size());
    const double total = all[set]->sum_of_powers(
        sums.size(), sums.data(), all[set]->largest(sums.size(), sums.data()), powers.data());
    std::vector<float> in_place = sums;
    const float most = all[set]->largest_of_many(sums.size(), sums.data());
    const double sum = all[set]->powers_in_place(in_place.size(), most, in_place.data());
    std::vector<float> scaled = in_place;
    std::vector<float> added(scaled.size(), 0.5F);
    all[set]->scale_row(scaled.size(), 0.3F, scaled.data(), added.data());
    std::vector<float> single{static_cast<float>(total), most, static_cast<float>(sum)};
    for (const std::vector<float>* part : {&gates,
                                           &cell,
                                           &hidden,
                                           &by_cell,
                                           &by_gates,
                                           &powers,
                                           &in_place,
                                           &scaled,
                                           &added,
                                           &single}) {
      results[set].insert(results[set].end(), part->begin(), part->end());
    }
  }
  for (std::size_t set = 1; set < count; ++set) {
    EXPECT_EQ(results[0], results[set]) << all[set]->name;
  }
}

TEST(DnnLoops, PowersAreAccurate) {
  std::vector<float> x;
  for (double value = -80.0; value <= 0.0; value += 0.01) {
    x.push_back(static_cast<float>(value));
  }
  std::vector<float> powers(x.size());
  dnn::loops().sum_of_powers(x.size(), x.data(), 0.0F, powers.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = std::exp(static_cast<double>(x[i]));
    ASSERT_NEAR(powers[i], expected, 3e-7 * expected) << x[i];
  }
}

TEST(DnnLoops, ANanMakesTheSumNan) {
  for (const std::size_t place : {0U, 5U, 20U, 32U}) {
    std::vector<float> x(33, 1.0F);
    x[place] = std::numeric_limits<float>::quiet_NaN();
    const float largest = dnn::loops().largest(x.size(), x.data());
    EXPECT_EQ(largest, 1.0F);
    EXPECT_TRUE(std::isnan(dnn::loops().sum_of_powers(x.size(), x.data(), largest, nullptr)))
        << place;
  }
}

TEST(DnnLoops, TheLargestIsFoundAnywhere) {
  for (std::size_t place = 0; place < 37; ++place) {
    std::vector<float> x(37, -2.0F);
    x[place] = -1.0F;
    EXPECT_EQ(dnn::loops().largest(x.size(), x.data()), -1.0F) << place;
  }
}

TEST(DnnLoops, PowersOfManyNumbersAreAccurate) {
  std::size_t count = 0;
  const dnn::Loops& narrowest = *dnn::available_loops(count)[0];
  std::vector<float> row(91);  // a whole block, a vector and a rest
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = -0.94F * static_cast<float>(i);
  }
  std::vector<float> powers = row;
  const double sum = narrowest.powers_in_place(powers.size(), 0.0F, powers.data());
  double expected = 0.0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double power = std::exp(static_cast<double>(row[i]));
    EXPECT_NEAR(powers[i], power, 2e-7) << row[i];
    EXPECT_NEAR(powers[i], power, 5e-6 * power) << row[i];
    expected += power;
  }
  EXPECT_NEAR(sum, expected, 2e-7 * expected);
}

TEST(DnnLoops, PowersOfManyNumbersKeepNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t at : {0UL, 70UL, 90UL}) {
    std::vector<float> row(91, -1.0F);
    row[at] = nan;
    const dnn::Loops& loop = dnn::loops();
    EXPECT_EQ(loop.largest_of_many(row.size(), row.data()), -1.0F);
    EXPECT_TRUE(std::isnan(loop.powers_in_place(row.size(), -1.0F, row.data()))) << at;
    EXPECT_TRUE(std::isnan(row[at])) << at;
    EXPECT_EQ(row[at == 0 ? 1 : 0], 1.0F);
  }
}

}  // namespace
}  // namespace isthmus
