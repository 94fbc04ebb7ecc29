// SPDX-License-Identifier: MIT
#include "isthmus/study/tasks/families.h"

namespace isthmus {
namespace {

// Zaremba's small model: two layers of 200, 10,000 words, 4,651,600 parameters.
Network ptb_network() {
  const Initializer uniform{Initializer::Kind::uniform, 0.1};
  const Initializer zero{Initializer::Kind::constant, 0.0};
  const Lstm lstm{.features = 200, .weight_init = uniform, .bias_init = zero};
  return {.input = {1},
          .layers = {Embedding{.tokens = 10000, .features = 200, .weight_init = uniform},
                     lstm,
                     lstm,
                     Linear{.out_features = 10000, .weight_init = uniform, .bias_init = uniform}}};
}

// Steps in one pass over the text's training split, at 20 streams of 20 words.
constexpr double ptb_epoch = 2323.0;

}  // namespace

void set_texts(StudyOptions& options) {
  options.problem.loss = Loss::cross_entropy;
  options.string.grid.metric = Metric::perplexity;
  options.string.grid.points = 11;
  options.string.alpha = 0.98;
  // A rate of 1 and norms of at most 5 for the loss summed over the 20 words of a window: 20 and a
  // quarter for its mean. The rate halves with every epoch from the sixth on.
  options.endpoints.optimizer = Sgd{.learning_rate = 20.0};
  options.endpoints.clip_norm = 0.25;
  options.endpoints.schedule = {.kind = Schedule::Kind::staircase,
                                .factor = 0.5,
                                .every = ptb_epoch,
                                .hold = 4.0 * ptb_epoch};
  options.endpoints.batch_size = 400;
  options.endpoints.check_every = 250;
  options.endpoints.max_steps = static_cast<std::size_t>(20 * ptb_epoch);
  options.string.training = options.endpoints;
  options.string.training.check_every = 100;
  options.other_split = OtherSplit::none;  // a pass over the training text takes a minute
  if (options.protocol == Protocol::strict) {
    return;
  }
  // PTBRNN.py: a look after every epoch, 100 epochs at most.
  options.string.tolerance = 1.1;
  options.string.grid.points = 21;
  options.endpoints.check_every = static_cast<std::size_t>(ptb_epoch);
  options.endpoints.max_steps = static_cast<std::size_t>(100 * ptb_epoch);
  options.string.training = options.endpoints;
}

std::vector<Task> text_tasks() {
  return {
      {.name = "ptb",
       .summary =
           "Penn Treebank, two LSTM layers of 200 (4,651,600 parameters), test perplexity per "
           "word",
       .data = "ptb",
       .threshold = 300.0,
       .network = ptb_network,
       .set = set_texts,
       .published_thresholds = {700.0, 300.0, 250.0, 200.0, 150.0, 135.0}},
  };
}

}  // namespace isthmus
