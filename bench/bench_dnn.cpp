// SPDX-License-Identifier: MIT
// Times of the dnn engine, as JSON on standard output: the MNIST convnet, the CIFAR-10 network and
// a small perceptron at batch 128, and the PTB network on windows of 20 x 20 words, one thread and
// two, beside the machine's rate of sgemm in the same run.
//
//     bench_dnn [REPETITIONS [NAME...]]
//
// NAME: convnet, cifar10, lstm, perceptron, convnet_two, lstm_two; without names, all.
//
// bench/dnn_torch.py runs it in turns with PyTorch and prints the ratios.
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"
#include "isthmus/train/optimizer.h"

namespace {

using isthmus::Json;

constexpr std::size_t batch_size = 128;
constexpr std::size_t evaluation_size = 1280;
constexpr std::size_t words = 10000;

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Processor time of this thread: the same as the clock's on a quiet machine, and not disturbed much
// by other programs on a shared one.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Times {
  double best = 0.0;
  double median = 0.0;
};

// After one call to warm up.
Times times_of(int repetitions, const std::function<void()>& work) {
  work();
  std::vector<double> seconds(static_cast<std::size_t>(repetitions));
  std::ranges::generate(seconds, [&] {
    const double begin = thread_seconds();
    work();
    return thread_seconds() - begin;
  });
  std::ranges::sort(seconds);
  return {seconds.front(), seconds[seconds.size() / 2]};
}

Json milliseconds(const Times& times) {
  return {{"best_ms", 1e3 * times.best}, {"median_ms", 1e3 * times.median}};
}

isthmus::Network convnet() {
  using namespace isthmus;
  const Activation relu{Activation::Kind::relu};
  return {.input = {1, 28, 28},
          .layers = {Conv2d{.out_channels = 32, .kernel = 5, .padding = Padding::same},
                     relu,
                     Pool2d{},
                     Conv2d{.out_channels = 64, .kernel = 5, .padding = Padding::same},
                     relu,
                     Pool2d{},
                     Flatten{},
                     Linear{.out_features = 1024},
                     relu,
                     Dropout{0.5},
                     Linear{.out_features = 10}}};
}

isthmus::Network perceptron() {
  using namespace isthmus;
  const Activation relu{Activation::Kind::relu};
  return {.input = {784},
          .layers = {Linear{.out_features = 32},
                     relu,
                     Linear{.out_features = 32},
                     relu,
                     Linear{.out_features = 10}}};
}

isthmus::Network cifar10() {
  using namespace isthmus;
  const Activation relu{Activation::Kind::relu};
  const Conv2d conv{.out_channels = 64, .kernel = 5, .padding = Padding::same};
  const Pool2d pool{.kernel = 3, .stride = 2, .padding = Padding::same};
  const LocalResponseNorm norm{.size = 9, .alpha = 0.001};
  return {.input = {3, 24, 24},
          .layers = {conv,
                     relu,
                     pool,
                     norm,
                     conv,
                     relu,
                     norm,
                     pool,
                     Flatten{},
                     Linear{.out_features = 384},
                     relu,
                     Linear{.out_features = 192},
                     relu,
                     Linear{.out_features = 10}}};
}

isthmus::Network language_model() {
  using namespace isthmus;
  return {.input = {1},
          .layers = {Embedding{.tokens = words, .features = 200},
                     Lstm{.features = 200},
                     Lstm{.features = 200},
                     Linear{.out_features = words}}};
}

// A network with what it is trained by.
struct Subject {
  isthmus::Network network;
  isthmus::OptimizerOptions optimizer = isthmus::Adam{.learning_rate = 1e-4};
  double clip_norm = 0.0;
  std::size_t batch = batch_size;
  std::size_t evaluation = evaluation_size;
  std::size_t classes = 10;
  std::size_t streams = 1;
};

Subject language_subject() {
  return {.network = language_model(),
          .optimizer = isthmus::Sgd{.learning_rate = 1.0},
          .clip_norm = 0.25,
          .batch = 400,
          .evaluation = 400,
          .classes = words,
          .streams = 20};
}

Subject cifar10_subject() {
  return {.network = cifar10(), .optimizer = isthmus::Sgd{.learning_rate = 0.1}};
}

// One training run: an engine, parameters, a batch and an optimizer.
class Trainer {
 public:
  explicit Trainer(const Subject& subject)
      : subject_(subject),
        engine_(isthmus::make_dnn_engine(subject.network, subject.batch)),
        optimizer_(subject.optimizer, engine_->dimension()),
        theta_(engine_->dimension()),
        gradient_(engine_->dimension()) {
    isthmus::initialise(subject.network, rng_, theta_);
    std::size_t features = 1;
    for (const std::size_t extent : subject.network.input) {
      features *= extent;
    }
    inputs_.resize(subject.evaluation * features);
    const bool tokens = subject.streams > 1;
    std::ranges::generate(inputs_, [&] {
      return static_cast<float>(tokens ? static_cast<double>(rng_.below(words)) : rng_.uniform());
    });
    labels_.resize(subject.evaluation);
    std::ranges::generate(labels_,
                          [&] { return static_cast<std::int32_t>(rng_.below(subject.classes)); });
    state_.resize(isthmus::state_size(subject.network) * subject.streams);
  }

  void differentiate() {
    double loss = 0.0;
    engine_->losses_and_gradients(
        theta_, batch(subject_.batch), isthmus::Loss::cross_entropy, &rng_, {&loss, 1}, gradient_);
  }
  void step() {
    differentiate();
    optimizer_.step(
        theta_, gradient_, {.gradient_scale = isthmus::clip_factor(gradient_, subject_.clip_norm)});
  }
  void evaluate() {
    double loss = 0.0;
    engine_->losses(theta_, batch(subject_.evaluation), isthmus::Loss::cross_entropy, {&loss, 1});
  }

 private:
  isthmus::BatchView batch(std::size_t count) {
    return {.count = count,
            .inputs = inputs_.data(),
            .labels = labels_.data(),
            .streams = subject_.streams,
            .state = state_.empty() ? nullptr : state_.data()};
  }

  Subject subject_;
  isthmus::Rng rng_{1};
  std::unique_ptr<isthmus::Engine> engine_;
  isthmus::Optimizer optimizer_;
  std::vector<float> theta_;
  std::vector<float> gradient_;
  std::vector<float> inputs_;
  std::vector<std::int32_t> labels_;
  std::vector<float> state_;
};

// Multiplications and additions of a step, two a connection and pass. The first layer has no pass
// for its inputs' gradient, but is counted with three like the others, as is usual.
double nominal_flops(const Subject& subject) {
  const isthmus::Network& network = subject.network;
  const std::vector<isthmus::Shape> shapes = isthmus::shapes(network);
  double connections = 0.0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    if (const auto* conv = std::get_if<isthmus::Conv2d>(&network.layers[i])) {
      connections += static_cast<double>(shapes[i + 1][0] * shapes[i + 1][1] * shapes[i + 1][2] *
                                         shapes[i][0] * conv->kernel * conv->kernel);
    } else if (std::holds_alternative<isthmus::Linear>(network.layers[i])) {
      connections += static_cast<double>(shapes[i][0] * shapes[i + 1][0]);
    } else if (const auto* lstm = std::get_if<isthmus::Lstm>(&network.layers[i])) {
      connections += static_cast<double>(4 * lstm->features * (shapes[i][0] + lstm->features));
    }
  }
  return 6.0 * connections * static_cast<double>(subject.batch);
}

// GFLOP/s of oneDNN's product of square matrices, best of a few sizes and repetitions.
double sgemm_rate() {
  double best = 0.0;
  for (const std::int64_t size : {1024, 1536, 2048}) {
    const auto numbers = static_cast<std::size_t>(size * size);
    const std::vector<float> a(numbers, 0.5F);
    const std::vector<float> b(numbers, 0.25F);
    std::vector<float> c(numbers);
    const Times times = times_of(5, [&] {
      dnnl_sgemm(
          'N', 'N', size, size, size, 1.0F, a.data(), size, b.data(), size, 0.0F, c.data(), size);
    });
    best = std::max(best, 2e-9 * static_cast<double>(size * size * size) / times.best);
  }
  return best;
}

Json measure(const Subject& subject, int repetitions, int inner) {
  Trainer trainer(subject);
  const auto repeated = [&](void (Trainer::*work)()) {
    Times times = times_of(repetitions, [&] {
      for (int i = 0; i < inner; ++i) {
        (trainer.*work)();
      }
    });
    return Times{times.best / inner, times.median / inner};
  };
  Json json;
  const Times step = repeated(&Trainer::step);
  json["step"] = milliseconds(step);
  json["gradient"] = milliseconds(repeated(&Trainer::differentiate));
  json["evaluate"] = milliseconds(repeated(&Trainer::evaluate));
  json["step_gflops"] = 1e-9 * nominal_flops(subject) / step.best;
  return json;
}

Json best_and_median(std::vector<double> values) {
  std::ranges::sort(values);
  return {{"best", values.back()}, {"median", values[values.size() / 2]}};
}

// What two threads at once do over what one does in the same time, in turns. By the clock, which
// counts other programs against the two, and by the processor time of the threads, which shows what
// they take from each other (caches, memory).
// "step": what one piece of work takes by the clock while both run.
Json two_workers(const Subject& subject, int repetitions, void (Trainer::*work)()) {
  constexpr int steps = 6;
  Trainer first(subject);
  Trainer second(subject);
  const auto run = [work](Trainer& trainer) {  // returns processor time
    const double begin = thread_seconds();
    for (int i = 0; i < steps; ++i) {
      (trainer.*work)();
    }
    return thread_seconds() - begin;
  };
  run(first);
  run(second);
  std::vector<double> by_clock;
  std::vector<double> by_processor;
  std::vector<double> each;
  for (int i = 0; i < repetitions; ++i) {
    double own_alone = 0.0;
    double own_first = 0.0;
    double own_second = 0.0;
    const double alone = seconds_of([&] { own_alone = run(first); });
    const double together = seconds_of([&] {
      std::thread other([&] { own_second = run(second); });
      own_first = run(first);
      other.join();
    });
    by_clock.push_back(2.0 * alone / together);
    each.push_back(together / (2 * steps));
    by_processor.push_back(own_alone / own_first + own_alone / own_second);
  }
  std::ranges::sort(each);
  return {{"by_clock", best_and_median(by_clock)},
          {"by_processor", best_and_median(by_processor)},
          {"step", milliseconds({each.front(), each[each.size() / 2]})}};
}

}  // namespace

int main(int argc, char** argv) {
  const int repetitions = argc > 1 ? std::max(1, std::atoi(argv[1])) : 10;
  // The engine keeps to one thread by itself; the sgemm above does not.
  if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) {
    set(1);
  }
  const dnnl_version_t* version = dnnl_version();
  Json json;
  json["onednn"] = std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                   std::to_string(version->patch);
  json["sgemm_gflops"] = sgemm_rate();
  const std::vector<std::string> names(argv + std::min(argc, 2), argv + argc);
  const auto wanted = [&](const char* name) {
    return names.empty() || std::ranges::find(names, name) != names.end();
  };
  if (wanted("convnet")) {
    json["convnet"] = measure({.network = convnet()}, repetitions, 1);
  }
  if (wanted("cifar10")) {
    json["cifar10"] = measure(cifar10_subject(), repetitions, 1);
  }
  if (wanted("lstm")) {
    json["lstm"] = measure(language_subject(), repetitions, 1);
  }
  if (wanted("convnet_two")) {
    json["convnet_two"] = two_workers({.network = convnet()}, repetitions, &Trainer::step);
  }
  if (wanted("lstm_two")) {
    json["lstm_two"] = two_workers(language_subject(), repetitions, &Trainer::step);
    json["lstm_two"]["evaluate"] =
        two_workers(language_subject(), repetitions, &Trainer::evaluate)["step"];
  }
  if (wanted("perceptron")) {
    json["perceptron"] = measure({.network = perceptron()}, repetitions, 50);
  }
  std::cout << json.dump(2) << "\n";
  return 0;
}
