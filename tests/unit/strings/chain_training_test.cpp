// SPDX-License-Identifier: MIT
#include "isthmus/strings/chain_training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/data/token_streams.h"
#include "isthmus/objective/network_objective.h"

namespace isthmus {
namespace {

// Two streams in windows of four words, whose state goes on from window to window.
std::unique_ptr<Objective> language_model() {
  constexpr std::size_t words = 7;
  auto data = std::make_shared<Dataset>();
  data->classes = words;
  for (Samples* samples : {&data->train, &data->test}) {
    Rng rng(5);
    std::vector<std::int32_t> tokens(50);
    std::ranges::generate(tokens, [&] { return static_cast<std::int32_t>(rng.below(words)); });
    *samples = window_samples({tokens, 2, 4});
  }
  NetworkObjectiveOptions options;
  options.network = {.input = {1},
                     .layers = {Embedding{.tokens = words, .features = 3},
                                Lstm{.features = 4},
                                Linear{.out_features = words}}};
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  options.carry_state = true;
  return make_network_objective(options);
}

// Three thetas together have the losses and gradients that each has alone, over two passes: the
// state of one never reaches another, on one worker and on two.
TEST(CommonBatches, EveryThetaCarriesAStateOfItsOwn) {
  const auto objective = language_model();
  const std::size_t dimension = objective->dimension();
  std::vector<float> thetas(3 * dimension);
  for (std::size_t i = 0; i < 3; ++i) {
    objective->initialise(1, i, std::span(thetas).subspan(i * dimension, dimension));
  }
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    Workers workers(threads);
    Evaluators evaluators(*objective, workers);
    CommonBatches together(evaluators, 1, 2, 8);
    std::vector<CommonBatches> alone;
    for (std::size_t i = 0; i < 3; ++i) {
      alone.emplace_back(evaluators, 1, 2, 8);
    }
    for (std::size_t step = 0; step < 12; ++step) {
      std::vector<double> losses(3);
      std::vector<float> gradients(thetas.size());
      together.next();
      EXPECT_EQ(together.evaluate(thetas, losses, gradients), 3U * 8U);
      for (std::size_t i = 0; i < 3; ++i) {
        double loss = 0.0;
        std::vector<float> gradient(dimension);
        alone[i].next();
        alone[i].evaluate(
            std::span(thetas).subspan(i * dimension, dimension), {&loss, 1}, gradient);
        EXPECT_EQ(losses[i], loss) << step << ' ' << i;
        EXPECT_TRUE(
            std::ranges::equal(gradient, std::span(gradients).subspan(i * dimension, dimension)));
      }
    }
  }
}

}  // namespace
}  // namespace isthmus
