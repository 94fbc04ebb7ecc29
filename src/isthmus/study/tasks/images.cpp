// SPDX-License-Identifier: MIT
#include "isthmus/study/tasks/families.h"

namespace isthmus {
namespace {

// The published convnet: 3,274,634 parameters.
Network mnist_network() {
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
  return {.input = {1, 28, 28},
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

void set_cifar10(StudyOptions& options) {
  set_images(options);
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

}  // namespace

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
  options.string.training.looks = options.endpoints.looks =
      options.protocol == Protocol::strict ? LookKind::estimated : LookKind::full;
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

std::vector<Task> image_tasks() {
  return {
      {.name = "mnist",
       .summary = "MNIST, the published convnet (3,274,634 parameters), test error rate",
       .data = "mnist",
       .threshold = 0.02,
       .network = mnist_network,
       .set = set_images,
       .double_softmax = true,
       .published_thresholds =
           {0.04, 0.02, 0.015, 0.01, 0.009, 0.0085, 0.008, 0.00775, 0.0075, 0.007}},
      {.name = "fashion-mnist",
       .summary = "Fashion-MNIST, the same convnet, test error rate",
       .data = "fashion-mnist",
       .threshold = 0.15,
       .network = mnist_network,
       .set = set_images,
       .double_softmax = true},
      {.name = "mnist-mlp",
       .summary = "MNIST, 784-32-32-10 ReLU perceptron (26,506 parameters), test error rate",
       .data = "mnist",
       .threshold = 0.06,
       .network = mnist_mlp_network,
       .set = set_images},
      {.name = "cifar10",
       .summary =
           "CIFAR-10, TensorFlow's tutorial network (1,068,298 parameters) on distorted crops "
           "of 24 x 24, test error rate",
       .data = "cifar-10",
       .threshold = 0.4,
       .network = cifar10_network,
       .set = set_cifar10,
       .published_thresholds = {0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2}},
  };
}

}  // namespace isthmus
