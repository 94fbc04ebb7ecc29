// SPDX-License-Identifier: MIT
#include "study_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

#include "isthmus/certify/lower_bound.h"
#include "isthmus/core/error.h"
#include "isthmus/objective/penalty.h"

namespace isthmus::app {
namespace {

template <class Value>
void set(Value& target, const std::optional<Value>& given) {
  if (given) {
    target = *given;
  }
}

double learning_rate_of(const OptimizerOptions& optimizer) {
  return std::visit([](const auto& kind) { return kind.learning_rate; }, optimizer);
}

void set_learning_rate(OptimizerOptions& optimizer, double rate) {
  std::visit([rate](auto& kind) { kind.learning_rate = rate; }, optimizer);
}

OptimizerOptions optimizer_of(const std::string& name, double rate) {
  if (name == "adam") {
    return Adam{.learning_rate = rate};
  }
  if (name == "rmsprop") {
    return RmsProp{.learning_rate = rate};
  }
  if (name == "sgd") {
    return Sgd{.learning_rate = rate};
  }
  if (name == "momentum") {
    return Sgd{.learning_rate = rate, .momentum = 0.9};
  }
  throw UsageError(
      fmt::format("optimizer: expected adam, rmsprop, sgd or momentum, got '{}'", name));
}

// TENSOR:STRENGTH,...
std::vector<WeightDecay> weight_decay_of(const std::string& text) {
  std::vector<WeightDecay> decays;
  for (const std::string& part : CLI::detail::split(text, ',')) {
    const std::size_t colon = part.rfind(':');
    WeightDecay decay;
    if (colon == std::string::npos || colon == 0 ||
        !CLI::detail::lexical_cast(part.substr(colon + 1), decay.strength)) {
      throw UsageError(fmt::format(
          "--endpoint-weight-decay: expected TENSOR:STRENGTH,..., e.g. 9.weight:0.004, got '{}'",
          text));
    }
    decay.tensor = part.substr(0, colon);
    decays.push_back(std::move(decay));
  }
  return decays;
}

// KIND[:EVERY[:FACTOR]], e.g. "staircase:1000:0.5".
Schedule schedule_of(const std::string& text) {
  const auto fields = CLI::detail::split(text, ':');
  Schedule schedule;
  std::size_t expected = 1;
  if (fields[0] == "staircase" || fields[0] == "exponential") {
    schedule.kind =
        fields[0] == "staircase" ? Schedule::Kind::staircase : Schedule::Kind::exponential;
    expected = 3;
  } else if (fields[0] == "cosine") {
    schedule.kind = Schedule::Kind::cosine;
    expected = 2;
  } else if (fields[0] != "constant") {
    expected = 0;
  }
  bool good = fields.size() == expected;
  good = good && (expected < 2 || CLI::detail::lexical_cast(fields[1], schedule.every));
  good = good && (expected < 3 || CLI::detail::lexical_cast(fields[2], schedule.factor));
  if (!good || !(schedule.every > 0.0) || !(schedule.factor > 0.0)) {
    throw UsageError(fmt::format(
        "schedule: expected constant, staircase:EVERY:FACTOR, exponential:EVERY:FACTOR or "
        "cosine:EVERY with numbers > 0, got '{}'",
        text));
  }
  return schedule;
}

// A point is an input and a target, and everything that is computed of it while a network trains.
constexpr std::size_t most_risk_points = 10'000'000;

// Each has its own evaluator, with buffers for activations.
constexpr std::size_t max_threads = 1024;

// The numbers of A,B,...
std::vector<double> numbers_of(std::string_view option, std::string_view text) {
  std::vector<double> numbers;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view field = text.substr(begin, end - begin);
    double number = 0.0;
    if (!CLI::detail::lexical_cast(std::string(field), number)) {
      throw UsageError(fmt::format(
          "{}: expected numbers with commas between, got '{}' in '{}'", option, field, text));
    }
    numbers.push_back(number);
    begin = end + 1;
  }
  return numbers;
}

}  // namespace

CLI::Validator thread_count() {
  const auto refuse = [](const std::string& text) {
    std::size_t count = 0;
    return CLI::detail::lexical_cast(text, count) && count <= max_threads
               ? std::string()
               : fmt::format("expected 0 (all cores) to {}, got '{}'", max_threads, text);
  };
  return {refuse, ""};
}

std::size_t worker_count(std::size_t threads) {
  return threads > 0 ? threads : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

void StudyFlags::add_problem(CLI::App& command) {
  command.add_option(
      "task",
      task,
      "What to train: quadratic, cubic, mnist, fashion-mnist, mnist-mlp, cifar10, ptb, "
      "two-gaussians, permuted-points (see `isthmus list`), or leave it out and give --network");
  const auto group = "Problem";
  command
      .add_option("--network",
                  network,
                  "A network of your own: a JSON file with its stack of layers (docs/networks.md)")
      ->group(group);
  command
      .add_option("--dataset",
                  dataset,
                  "With --network: the data set it is for, a known one or an IDX set of your own, "
                  "a folder of "
                  "that name below --data (see `isthmus data list`)")
      ->capture_default_str()
      ->group(group);
  command
      .add_option(
          "--normalise",
          normalise,
          "Images: MEAN:DEVIATION, with which the network sees (byte / 255 - mean) / "
          "deviation; a number each, or one for every channel (0.49,0.48,0.45:0.25,0.24,0.26)")
      ->group(group);
  command
      .add_option(
          "--data",
          data,
          "Folder with data sets (DIR/mnist/...) or with one set's files; else ISTHMUS_DATA, "
          "the user's data folder, the system's package folder")
      ->type_name("DIR")
      ->group(group);
  command.add_option("--seed", seed, "Equal seeds give equal files")
      ->capture_default_str()
      ->group(group);
  command
      .add_option(
          "--protocol",
          protocol,
          "strict: Algorithm 1 as stated, fast settings; paper: the published scripts' rules")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--risk",
                  risk,
                  "Generated tasks: oracle (midpoint rule of the input distribution; default) or "
                  "empirical (random points)")
      ->group(group);
  command
      .add_option(
          "--risk-points",
          risk_points,
          "Points of that risk [256 for oracle, 10000 for empirical]; samples of two-gaussians, a "
          "multiple of 8 [400]")
      ->group(group);
  command.add_option("--covariance", covariance, "two-gaussians: the small variance [0.05]")
      ->group(group);
  command
      .add_option("--points-file",
                  points_file,
                  "permuted-points: a file of three lines \"x y\" [the corners of an equilateral "
                  "triangle]")
      ->group(group);
  command
      .add_option(
          "--split", split, "The split whose metric defines the level set: test or train [test]")
      ->group(group);
  command
      .add_option(
          "--metric",
          metric,
          "What the threshold bounds: mean_absolute_error, mean_squared_error, cross_entropy, "
          "error_rate (a fraction), perplexity [the task's]")
      ->group(group);
  command
      .add_option("--penalty",
                  penalty,
                  "A term on top of the training loss and of those metrics that are losses (not of "
                  "error_rate and perplexity): l1:STRENGTH (sum of magnitudes) or l2:STRENGTH (sum "
                  "of squares), of all parameters, or with :weights behind it of all but biases "
                  "(l2:0.0001:weights) [none]")
      ->group(group);
  command
      .add_flag("--double-softmax",
                double_softmax,
                "Convnet tasks: a softmax before the cross-entropy's own, as the published script")
      ->group(group);
  command
      .add_option(
          "--threads", threads, "Worker threads; the result does not depend on them; 0: all cores")
      ->check(thread_count())
      ->group(group);
}

void StudyFlags::add_training(CLI::App& command) {
  const auto group = "Training";
  command.add_option("--optimizer", optimizer, "adam, rmsprop, sgd or momentum (sgd, 0.9)")
      ->group(group);
  command
      .add_option(
          "--learning-rate", learning_rate, "Of beads (and of end points, unless given apart)")
      ->group(group);
  command.add_option("--endpoint-learning-rate", endpoint_learning_rate, "Of end points")
      ->group(group);
  command.add_option("--batch-size", batch_size, "Samples a step; 0: all")->group(group);
  command
      .add_option("--check-every", check_every, "Steps between two looks at the full-split metric")
      ->group(group);
  command.add_option("--clip-norm", clip_norm, "Largest norm of a gradient; 0: no clipping")
      ->group(group);
  command
      .add_option("--schedule",
                  schedule,
                  "Factor on the learning rate: constant, staircase:EVERY:FACTOR, "
                  "exponential:EVERY:FACTOR or cosine:EVERY (EVERY in steps)")
      ->group(group);
  command
      .add_option(
          "--endpoint-weight-decay",
          endpoint_weight_decay,
          "Of end points: TENSOR:STRENGTH,..., e.g. 9.weight:0.004; adds STRENGTH / 2 times "
          "the sum of the tensor's squares to what is minimised")
      ->group(group);
  command
      .add_option(
          "--streams", streams, "Texts: sequences side by side, in training and evaluation [20]")
      ->group(group);
  command.add_option("--window", window, "Texts: words of each sequence in a step [20]")
      ->group(group);
  command
      .add_flag(
          "--fresh-state",
          fresh_state,
          "Texts: begin every window of training with a state of zero, instead of that of the "
          "window before")
      ->group(group);
  command
      .add_option(
          "--endpoint-max-steps", endpoint_max_steps, "Budget of one end point, gradient steps")
      ->group(group);
}

void StudyFlags::add_string(CLI::App& command) {
  const auto group = "String";
  command
      .add_option(
          "--alpha", alpha, "A bead trains until its metric is at most alpha * L0, in (0, 1]")
      ->group(group);
  command
      .add_option("--tolerance",
                  tolerance,
                  "A segment passes below tolerance * L0; >= 1 [1; paper: 1.1, 1.02]")
      ->group(group);
  command
      .add_option(
          "--points", points, "Grid points of a segment, both ends included [101; image tasks 21]")
      ->group(group);
  command
      .add_option(
          "--check",
          check,
          "What a segment must pass: certified, a proof for all of it (docs/certificate.md); "
          "sampled, every grid point; screened, every grid point on the samples that can matter "
          "(error rates, docs/checks.md) [strict: certified for perceptrons, screened for other "
          "error rates; else sampled]")
      ->group(group);
  command
      .add_option("--max-evaluations",
                  max_evaluations,
                  "Budget of one proof, in full passes over the split [100]")
      ->group(group);
  command
      .add_option("--t-star", t_star, "Where a bead goes: half, or argmax of the segment's grid")
      ->group(group);
  command.add_option("--max-rounds", max_rounds, "Rounds of inserting beads [12; paper: 10]")
      ->group(group);
  command.add_option("--max-beads", max_beads, "Beads of one string, end points included")
      ->group(group);
  command.add_option("--max-steps", max_steps, "Budget of one bead, gradient steps")->group(group);
  command
      .add_option("--max-total-steps",
                  max_total_steps,
                  "Budget of all beads of a string, gradient steps; each round shares what is left "
                  "evenly among its beads")
      ->group(group);
  command
      .add_option("--max-seconds",
                  max_seconds,
                  "No round of a string starts after this time (depends on the machine)")
      ->group(group);
  command
      .add_option(
          "--other-split",
          other_split,
          "Where the other split is looked at along a path: grid, dangerous (the worst point "
          "of each segment), none")
      ->group(group);
}

StudyOptions StudyFlags::options() const {
  const Protocol rules = named<Protocol>(protocol);
  StudyOptions study;
  if (network && !task.empty()) {
    throw UsageError("give a task or --network, not both");
  }
  if (network) {
    study = default_options(read_network(*network), dataset, rules);
  } else if (task.empty()) {
    throw UsageError("give a task (see `isthmus list`) or --network FILE");
  } else {
    const Task& known = task_of(task);
    study = default_options(known, rules, double_softmax);
  }
  study.seed = seed;
  if (normalise) {
    study.problem.normalise = normalisation_of(*normalise);
  }
  set(study.pairs, pairs);
  if (threshold && thresholds) {
    throw UsageError("give --threshold or --thresholds, not both");
  }
  if (threshold) {
    study.thresholds = {*threshold};
  }
  if (thresholds) {
    study.thresholds = numbers_of("--thresholds", *thresholds);
    std::ranges::sort(study.thresholds, std::greater<>());
  }
  if (study.thresholds.empty()) {
    throw UsageError("threshold: a network of your own has no default; give --threshold");
  }
  if (study.problem.has_risk()) {
    study.problem.risk = risk ? named<Risk>(*risk) : Risk::oracle;
    study.problem.risk_points =
        risk_points.value_or(study.problem.risk == Risk::oracle ? 256 : 10000);
  } else if (risk || (risk_points && study.problem.data != "two-gaussians")) {
    throw UsageError(
        fmt::format("risk: only quadratic and cubic have one, not {}", study.problem.task));
  }
  if (study.problem.data == "two-gaussians") {
    set(study.problem.covariance, covariance);
    set(study.problem.risk_points, risk_points);
    study.problem.test_seed = seed;
  } else if (covariance) {
    throw UsageError(
        fmt::format("--covariance: only two-gaussians has one, not {}", study.problem.task));
  }
  if (study.problem.risk_points == 0 || study.problem.risk_points > most_risk_points) {
    throw UsageError(fmt::format("risk-points: expected at least 1 and at most {}, got {}",
                                 most_risk_points,
                                 study.problem.risk_points));
  }
  if (points_file && study.problem.data != "permuted-points") {
    throw UsageError(
        fmt::format("--points-file: only permuted-points has one, not {}", study.problem.task));
  }
  if (points_file) {
    study.problem.points = read_points(*points_file);
  }
  if (split) {
    study.string.grid.split = named<Split>(*split);
  }
  if (metric) {
    study.string.grid.metric = named<Metric>(*metric);
  }
  if (penalty) {
    study.problem.penalty = penalty_of(*penalty);
  }
  set(study.string.alpha, alpha);
  set(study.string.tolerance, tolerance);
  set(study.string.grid.points, points);
  if (check) {
    study.string.check = named<CheckKind>(*check);
    if (const auto reason = reason_not_covered(study.problem.network, study.string.grid.metric);
        reason && study.string.check == CheckKind::certified) {
      throw UsageError(fmt::format("--check certified: {}; use --check sampled", *reason));
    }
    if (study.string.check == CheckKind::screened &&
        (study.string.grid.metric != Metric::error_rate || study.problem.is_text())) {
      throw UsageError(fmt::format(
          "--check screened: expected an error rate of samples that stand alone, got {}; use "
          "--check sampled",
          name_of(study.string.grid.metric)));
    }
  } else {
    study.string.check =
        default_check(study.problem.network, study.string.grid.metric, study.protocol);
  }
  set(study.string.max_evaluations, max_evaluations);
  if (t_star) {
    study.string.t_star = named<TStar>(*t_star);
  }
  set(study.string.max_rounds, max_rounds);
  set(study.string.max_beads, max_beads);
  set(study.string.max_total_steps, max_total_steps);
  set(study.string.max_seconds, max_seconds);
  set(study.string.training.max_steps, max_steps);
  set(study.endpoints.max_steps, endpoint_max_steps);
  for (TrainOptions* training : {&study.endpoints, &study.string.training}) {
    if (optimizer) {
      training->optimizer = optimizer_of(*optimizer, learning_rate_of(training->optimizer));
    }
    if (learning_rate) {
      set_learning_rate(training->optimizer, *learning_rate);
    }
    set(training->batch_size, batch_size);
    set(training->check_every, check_every);
    set(training->clip_norm, clip_norm);
    if (schedule) {
      training->schedule = schedule_of(*schedule);
    }
  }
  if (endpoint_weight_decay) {
    study.endpoints.weight_decay = weight_decay_of(*endpoint_weight_decay);
  }
  if (!study.problem.is_text() && (streams || window || fresh_state)) {
    throw UsageError(fmt::format(
        "--streams, --window and --fresh-state: only texts have them, not {}", study.problem.task));
  }
  if (study.problem.is_text()) {
    set(study.problem.streams, streams);
    set(study.problem.window, window);
    study.problem.carry_state = !fresh_state;
    if (!batch_size) {
      study.endpoints.batch_size = study.problem.streams * study.problem.window;
      study.string.training.batch_size = study.endpoints.batch_size;
    }
  }
  if (endpoint_learning_rate) {
    set_learning_rate(study.endpoints.optimizer, *endpoint_learning_rate);
  }
  if (other_split) {
    study.other_split = named<OtherSplit>(*other_split);
  }
  return study;
}

std::size_t StudyFlags::worker_count() const {
  return app::worker_count(threads);
}

std::optional<std::filesystem::path> StudyFlags::data_folder() const {
  return data ? std::optional<std::filesystem::path>(*data) : std::nullopt;
}

}  // namespace isthmus::app
