// SPDX-License-Identifier: MIT
#include "isthmus/study/task.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/objective/penalty.h"

namespace isthmus {
namespace {

// Networks.

// 1-4-4-1, a sigmoid after every layer, no biases: 24 parameters.
Network quadratic_network() {
  const Linear hidden{
      .out_features = 4, .bias = false, .weight_init = {Initializer::Kind::uniform, 1.0}};
  Linear output = hidden;
  output.out_features = 1;
  const Activation sigmoid{Activation::Kind::sigmoid};
  return {.input = {1}, .layers = {hidden, sigmoid, hidden, sigmoid, output, sigmoid}};
}

// 1-4-4-1 with biases and a linear output: 33 parameters.
Network cubic_network() {
  const Linear hidden{.out_features = 4,
                      .weight_init = {Initializer::Kind::uniform, 1.0},
                      .bias_init = {Initializer::Kind::normal, 1.0}};
  Linear output = hidden;
  output.out_features = 1;
  const Activation sigmoid{Activation::Kind::sigmoid};
  return {.input = {1}, .layers = {hidden, sigmoid, hidden, sigmoid, output}};
}

// The published convnet: 3,274,634 parameters.
Network mnist_network(bool softmax_output) {
  const Initializer weights{Initializer::Kind::truncated_normal, 0.1};
  const Initializer biases{Initializer::Kind::constant, 0.1};
  const auto conv = [&](std::size_t channels) {
    return Conv2d{.out_channels = channels,
                  .kernel = 5,
                  .padding = Padding::same,
                  .weight_init = weights,
                  .bias_init = biases};
  };
  const auto dense = [&](std::size_t features) {
    return Linear{.out_features = features, .weight_init = weights, .bias_init = biases};
  };
  const Activation relu{Activation::Kind::relu};
  const Pool2d pool{.padding = Padding::same};
  Network network{.input = {1, 28, 28},
                  .layers = {conv(32),
                             relu,
                             pool,
                             conv(64),
                             relu,
                             pool,
                             Flatten{},
                             dense(1024),
                             relu,
                             Dropout{0.5},
                             dense(10)}};
  if (softmax_output) {
    network.layers.emplace_back(Activation{Activation::Kind::softmax});
  }
  return network;
}

// 2-hidden-2, ReLU, no biases: two-gaussians and permuted-points.
Network plane_network(std::size_t hidden) {
  Linear first{
      .out_features = hidden, .bias = false, .weight_init = {Initializer::Kind::normal, 1.0}};
  Linear second = first;
  second.out_features = 2;
  return {.input = {2}, .layers = {first, Activation{Activation::Kind::relu}, second}};
}

Network mnist_mlp_network() {
  const Activation relu{Activation::Kind::relu};
  return {.input = {1, 28, 28},
          .layers = {Flatten{},
                     Linear{.out_features = 32},
                     relu,
                     Linear{.out_features = 32},
                     relu,
                     Linear{.out_features = 10}}};
}

// The network of TensorFlow's CIFAR-10 tutorial, as the published script initialises it: 1,068,298
// parameters.
Network cifar10_network() {
  const auto normal = [](double deviation) {
    return Initializer{Initializer::Kind::truncated_normal, deviation};
  };
  const auto constant = [](double value) {
    return Initializer{Initializer::Kind::constant, value};
  };
  const auto conv = [&](double bias) {
    return Conv2d{.out_channels = 64,
                  .kernel = 5,
                  .padding = Padding::same,
                  .weight_init = normal(0.05),
                  .bias_init = constant(bias)};
  };
  const auto dense = [&](std::size_t features, double deviation, double bias) {
    return Linear{
        .out_features = features, .weight_init = normal(deviation), .bias_init = constant(bias)};
  };
  const Activation relu{Activation::Kind::relu};
  const Pool2d pool{.kernel = 3, .stride = 2, .padding = Padding::same};
  // TensorFlow's alpha = 0.001 / 9 over a depth radius of 4.
  const LocalResponseNorm norm{.size = 9, .alpha = 0.001, .beta = 0.75, .k = 1.0};
  return {.input = {3, 24, 24},
          .layers = {conv(0.0),
                     relu,
                     pool,
                     norm,
                     conv(0.1),
                     relu,
                     norm,
                     pool,
                     Flatten{},
                     dense(384, 0.04, 0.1),
                     relu,
                     dense(192, 0.04, 0.1),
                     relu,
                     dense(10, 1.0 / 192.0, 0.0)}};
}

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

// Settings. Each is explained, with the measurement behind it, in docs/defaults.md.

void set_generated(StudyOptions& options) {
  options.problem.loss = Loss::absolute;
  options.string.grid.metric = Metric::mean_absolute_error;
  options.string.grid.points = 101;
  options.string.alpha = 0.95;
  options.endpoints.optimizer = Adam{.learning_rate = 0.001};
  options.endpoints.max_steps = 400000;
  options.string.training.optimizer = Adam{.learning_rate = 0.01};
  options.string.training.max_steps = 50000;
  options.other_split = OtherSplit::grid;
  if (options.protocol == Protocol::strict) {
    return;
  }
  // QUADRATICS.py and CUBICS.py: end points look at the test set after rounds of 500 steps and at
  // the mean training loss of every 5; beads look at the test set after every 15.
  options.string.tolerance = 1.1;
  options.endpoints.check_every = 500;
  options.endpoints.loss_window = 5;
  options.string.training.optimizer = Adam{.learning_rate = 0.001};
  options.string.training.check_every = 15;
  options.string.training.max_steps = 200000;
}

void set_plane(StudyOptions& options) {
  if (options.protocol == Protocol::paper) {
    throw UsageError(
        fmt::format("protocol: the paper has no script for {}; use strict", options.problem.task));
  }
  set_generated(options);
  options.problem.loss = Loss::squared;
  options.string.grid.metric = Metric::mean_squared_error;
  options.endpoints.max_steps = 20000;
  options.string.training.max_steps = 5000;  // a bead in a gap never arrives
}

void set_images(StudyOptions& options) {
  options.problem.loss = Loss::cross_entropy;
  options.string.grid.metric = Metric::error_rate;
  options.string.grid.points = 21;
  options.string.alpha = 0.98;
  options.endpoints.optimizer = Adam{.learning_rate = 0.001};
  options.endpoints.batch_size = 128;
  options.endpoints.check_every = 50;
  options.endpoints.max_steps = 20000;
  options.string.training = options.endpoints;
  options.string.training.optimizer = Sgd{.learning_rate = 0.02, .momentum = 0.9};
  options.string.training.check_every = 10;
  options.other_split = OtherSplit::dangerous;
  if (options.protocol == Protocol::strict) {
    return;
  }
  // MNIST.py: Adam 1e-4, batches of 100, a look at the test set every 100 batches for end points
  // and every 550 for beads, the bead at the largest grid point.
  options.string.tolerance = 1.02;
  options.string.t_star = TStar::argmax;
  options.endpoints.optimizer = Adam{.learning_rate = 0.0001};
  options.endpoints.batch_size = 100;
  options.endpoints.check_every = 100;
  options.endpoints.max_steps = 100000;
  options.string.training = options.endpoints;
  options.string.training.check_every = 550;
}

void set_cifar10(StudyOptions& options) {
  set_images(options);
  options.problem.data = "cifar-10";
  options.problem.augment = AugmentOptions{};
  options.string.training.check_every = options.endpoints.check_every;
  if (options.protocol == Protocol::strict) {
    return;
  }
  // CIFAR10.py: plain SGD at 0.1, a tenth of it after 350 epochs; a look every 100 steps, the first
  // one after one step; the weights of the two hidden dense layers decay, those of beads do not.
  options.string.tolerance = 1.1;
  options.endpoints.optimizer = Sgd{.learning_rate = 0.1};
  options.endpoints.schedule = {
      .kind = Schedule::Kind::staircase, .factor = 0.1, .every = 350.0 * 50000.0 / 128.0};
  options.endpoints.batch_size = 128;
  options.endpoints.check_every = 100;
  options.endpoints.max_steps = 1000000;
  options.string.training = options.endpoints;
  options.endpoints.weight_decay = {{"9.weight", 0.004}, {"11.weight", 0.004}};
}

// Steps in one pass over the text's training split, at 20 streams of 20 words.
constexpr double ptb_epoch = 2323.0;

void set_ptb(StudyOptions& options) {
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

// Each pair and threshold is a row and two files of a run.
constexpr std::size_t max_pairs = 1'000'000;

void set_paper_rules(StudyOptions& options) {
  if (options.protocol == Protocol::strict) {
    return;
  }
  options.string.always_insert = true;
  options.string.max_rounds = 10;
  options.string.grid.points -= 1;
  options.string.grid.include_end = false;
  for (TrainOptions* training : {&options.endpoints, &options.string.training}) {
    training->comparison = Comparison::below;
    training->skip_first_check = true;
  }
}

void set_check(StudyOptions& options) {
  options.string.check =
      default_check(options.problem.network, options.string.grid.metric, options.protocol);
  if (options.string.check == CheckKind::certified) {
    options.other_split = OtherSplit::dangerous;  // a grid would cost more than the proof
  }
}

Json to_json(const Schedule& schedule) {
  const std::string hold = schedule.hold > 0.0 ? fmt::format(" from step {}", schedule.hold) : "";
  switch (schedule.kind) {
    case Schedule::Kind::constant:
      return "constant";
    case Schedule::Kind::cosine:
      return fmt::format("cosine:{}{}", schedule.every, hold);
    case Schedule::Kind::staircase:
      return fmt::format("staircase:{}:{}{}", schedule.every, schedule.factor, hold);
    case Schedule::Kind::exponential:
      return fmt::format("exponential:{}:{}{}", schedule.every, schedule.factor, hold);
  }
  return nullptr;
}

// A run belongs to the numbers of its end points, not only to the names of their files.
Json to_json(const GivenEndPoint& point) {
  const auto bytes = std::as_bytes(std::span(point.theta));
  return {{"name", point.name},
          {"theta_sha256", sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()})}};
}

Json to_json(const TrainOptions& training) {
  Json json{{"optimizer", to_json(training.optimizer)},
            {"schedule", to_json(training.schedule)},
            {"batch_size", training.batch_size},
            {"check_every", training.check_every},
            {"skip_first_check", training.skip_first_check},
            {"loss_window", training.loss_window},
            {"max_steps", training.max_steps},
            {"clip_norm", training.clip_norm},
            {"comparison", training.comparison == Comparison::below ? "below" : "at_most"}};
  for (const WeightDecay& decay : training.weight_decay) {
    json["weight_decay"][decay.tensor] = decay.strength;
  }
  return json;
}

}  // namespace

void StudyOptions::validate() const {
  if (thresholds.empty()) {
    throw UsageError("thresholds: expected at least one");
  }
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    if (!(thresholds[i] > 0.0) || !std::isfinite(thresholds[i])) {
      throw UsageError(fmt::format("threshold: expected a number > 0, got {}", thresholds[i]));
    }
    if (i > 0 && thresholds[i] >= thresholds[i - 1]) {
      throw UsageError(
          fmt::format("thresholds: expected different ones, got {} twice", thresholds[i]));
    }
  }
  if (pairs == 0 || pairs > max_pairs) {
    throw UsageError(fmt::format("pairs: expected 1 to {}, got {}", max_pairs, pairs));
  }
  if (from.has_value() != to.has_value()) {
    throw UsageError("--from and --to: give both end points, or neither");
  }
  for (const std::optional<GivenEndPoint>& point : {from, to}) {
    const std::size_t expected = layout_of(problem.network).dimension();
    if (point && point->theta.size() != expected) {
      throw UsageError(fmt::format("{}: expected {} parameters, as the network has, got {}",
                                   point->name,
                                   expected,
                                   point->theta.size()));
    }
  }
  if (from && pairs != 1) {
    throw UsageError(fmt::format("pairs: two given end points are 1 pair, got {}", pairs));
  }
  GreedyOptions one = string;
  one.threshold = thresholds.front();
  one.validate();
  endpoints.validate();
  isthmus::validate(problem.penalty);
}

Json to_json(const StudyOptions& options) {
  Json json{{"task", options.problem.task},
            {"protocol", name_of(options.protocol)},
            {"thresholds", options.thresholds},
            {"pairs", options.pairs},
            {"seed", options.seed},
            {"metric", name_of(options.string.grid.metric)},
            {"split", name_of(options.string.grid.split)},
            {"alpha", options.string.alpha},
            {"tolerance", options.string.tolerance},
            {"points", options.string.grid.points},
            {"include_end", options.string.grid.include_end},
            {"check", name_of(options.string.check)},
            {"max_evaluations", options.string.max_evaluations},
            {"t_star", name_of(options.string.t_star)},
            {"always_insert", options.string.always_insert},
            {"max_rounds", options.string.max_rounds},
            {"max_beads", options.string.max_beads}};
  if (options.problem.penalty.any()) {
    json["penalty"] = text_of(options.problem.penalty);
  }
  if (options.problem.has_risk()) {
    json["risk"] = name_of(options.problem.risk);
  }
  // Limits that are off have no JSON number; null says so.
  json["max_total_steps"] =
      options.string.max_total_steps == std::numeric_limits<std::size_t>::max()
          ? Json(nullptr)
          : Json(options.string.max_total_steps);
  json["max_seconds"] =
      std::isfinite(options.string.max_seconds) ? Json(options.string.max_seconds) : Json(nullptr);
  json["other_split"] = name_of(options.other_split);
  json["endpoints"] = to_json(options.endpoints);
  json["beads"] = to_json(options.string.training);
  if (options.from) {
    json["from"] = to_json(*options.from);
    json["to"] = to_json(*options.to);
  }
  json["problem"] = to_json(options.problem);
  return json;
}

const std::vector<Task>& tasks() {
  static const std::vector<Task> known{
      {.name = "quadratic",
       .summary = "y = 0.5 x^2 + 0.25 x + 0.1 on [0, 1], 1-4-4-1 sigmoid net, mean absolute error",
       .threshold = 0.01,
       .published_thresholds =
           {0.125, 0.1, 0.075, 0.05, 0.025, 0.01, 0.0075, 0.005, 0.0025, 0.001}},
      {.name = "cubic",
       .summary = "y = 8 x^3 - 10 x^2 + 3 x on [0, 1], 1-4-4-1 sigmoid net with biases, mean "
                  "absolute error",
       .threshold = 0.05,
       .published_thresholds = {0.32,  0.24,  0.2,   0.18,  0.17, 0.168, 0.164, 0.162, 0.16,
                                0.158, 0.156, 0.154, 0.152, 0.15, 0.14,  0.12,  0.1,   0.08,
                                0.07,  0.06,  0.05,  0.04,  0.03, 0.02,  0.01}},
      {.name = "mnist",
       .summary = "MNIST, the published convnet (3,274,634 parameters), test error rate",
       .threshold = 0.02,
       .published_thresholds =
           {0.04, 0.02, 0.015, 0.01, 0.009, 0.0085, 0.008, 0.00775, 0.0075, 0.007}},
      {.name = "fashion-mnist",
       .summary = "Fashion-MNIST, the same convnet, test error rate",
       .threshold = 0.15,
       .published_thresholds = {}},
      {.name = "mnist-mlp",
       .summary = "MNIST, 784-32-32-10 ReLU perceptron (26,506 parameters), test error rate",
       .threshold = 0.06,
       .published_thresholds = {}},
      {.name = "cifar10",
       .summary =
           "CIFAR-10, TensorFlow's tutorial network (1,068,298 parameters) on distorted crops "
           "of 24 x 24, test error rate",
       .threshold = 0.4,
       .published_thresholds = {0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2}},
      {.name = "ptb",
       .summary =
           "Penn Treebank, two LSTM layers of 200 (4,651,600 parameters), test perplexity per "
           "word",
       .threshold = 300.0,
       .published_thresholds = {700.0, 300.0, 250.0, 200.0, 150.0, 135.0}},
      {.name = "two-gaussians",
       .summary = "(max(0, x_1), max(0, x_2)) on two crossed Gaussians, 2-2-2 ReLU net without "
                  "biases, mean squared error; see `isthmus lower-bound`",
       .threshold = 0.01,
       .published_thresholds = {}},
      {.name = "permuted-points",
       .summary = "three points onto each other in a circle, 2-3-2 ReLU net without biases, mean "
                  "squared error; see `isthmus lower-bound`",
       .threshold = 0.01,
       .published_thresholds = {}},
  };
  return known;
}

const Task& task_of(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Task& task : tasks()) {
    if (task.name == name) {
      return task;
    }
    names.push_back(task.name);
  }
  throw UsageError(fmt::format("task: expected one of {}, got '{}'", fmt::join(names, ", "), name));
}

StudyOptions default_options(const Task& task, Protocol protocol, bool softmax_output) {
  StudyOptions options;
  options.protocol = protocol;
  options.problem.task = task.name;
  options.problem.data = task.name == "mnist-mlp" ? "mnist" : std::string(task.name);
  options.thresholds = {task.threshold};
  if (task.name == "quadratic" || task.name == "cubic") {
    options.problem.network = task.name == "quadratic" ? quadratic_network() : cubic_network();
    set_generated(options);
  } else if (task.name == "two-gaussians" || task.name == "permuted-points") {
    options.problem.network = plane_network(task.name == "two-gaussians" ? 2 : 3);
    options.problem.risk_points = 400;
    set_plane(options);
  } else if (task.name == "cifar10") {
    options.problem.network = cifar10_network();
    set_cifar10(options);
  } else if (task.name == "ptb") {
    options.problem.network = ptb_network();
    set_ptb(options);
  } else {
    options.problem.network =
        task.name == "mnist-mlp" ? mnist_mlp_network() : mnist_network(softmax_output);
    set_images(options);
  }
  set_paper_rules(options);
  set_check(options);
  return options;
}

StudyOptions default_options(const Network& network, const std::string& data, Protocol protocol) {
  StudyOptions options;
  options.protocol = protocol;
  options.problem.task = "network";
  options.problem.data = data;
  options.problem.network = network;
  if (options.problem.generated()) {
    throw UsageError(fmt::format(
        "--dataset {}: expected a set of images or a text, these samples are generated for the "
        "task {}: give the task instead of --network",
        data,
        data));
  }
  if (options.problem.is_text()) {
    set_ptb(options);
  } else {
    set_images(options);
  }
  set_paper_rules(options);
  set_check(options);
  return options;
}

CheckKind default_check(const Network& network, Metric metric, Protocol protocol) {
  constexpr std::ptrdiff_t most_layers = 5;  // deviations widen with every layer
  const auto dense = std::ranges::count_if(
      network.layers, [](const Layer& layer) { return std::holds_alternative<Linear>(layer); });
  if (protocol != Protocol::strict) {
    return CheckKind::sampled;
  }
  if (is_perceptron(network) && dense <= most_layers && !reason_not_covered(network, metric)) {
    return CheckKind::certified;
  }
  const bool has_margins = metric == Metric::error_rate && !is_recurrent(network);
  return has_margins ? CheckKind::screened : CheckKind::sampled;
}

}  // namespace isthmus
