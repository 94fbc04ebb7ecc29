// SPDX-License-Identifier: MIT
#include "isthmus/study/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/study/tasks/families.h"

namespace isthmus {
namespace {

void set_paper_rules(StudyOptions& options) {
  if (options.protocol == Protocol::strict) {
    return;
  }
  options.endpoints_of = EndPointsOf::threshold;
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

void set_repair(StudyOptions& options) {
  if (options.protocol == Protocol::strict) {
    options.repair.mode = RepairMode::restarts;
    options.string.stagnation = stagnation_with_repair;
  }
}

// What every task has, from what each says of itself.
StudyOptions options_of(Problem problem, Protocol protocol, void (*set)(StudyOptions&)) {
  StudyOptions options;
  options.protocol = protocol;
  options.problem = std::move(problem);
  set(options);
  set_paper_rules(options);
  set_check(options);
  set_repair(options);
  const BeadDefaults beads = default_beads(options);
  TrainOptions& training = options.string.training;
  training.average = beads.average;
  training.importance = beads.importance;
  training.damping = beads.damping;
  training.check_every = beads.check_every.value_or(training.check_every);
  if (beads.learning_rate) {
    std::visit([&](auto& kind) { kind.learning_rate = *beads.learning_rate; }, training.optimizer);
  }
  options.string.bead_bend = beads.bend;
  return options;
}

}  // namespace

const std::vector<Task>& tasks() {
  static const std::vector<Task> known = [] {
    std::vector<Task> all;
    for (const auto& family : {polynomial_tasks, image_tasks, text_tasks, plane_tasks}) {
      std::ranges::move(family(), std::back_inserter(all));
    }
    return all;
  }();
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
  refuse_name("task", names, name);
}

StudyOptions default_options(const Task& task, Protocol protocol, bool softmax_output) {
  if (softmax_output && !task.double_softmax) {
    throw UsageError(
        fmt::format("double-softmax: only mnist and fashion-mnist have one, not {}", task.name));
  }
  Problem problem;
  problem.task = task.name;
  problem.data = task.data;
  problem.network = task.network();
  if (softmax_output) {
    problem.network.layers.emplace_back(Activation{Activation::Kind::softmax});
  }
  StudyOptions options = options_of(std::move(problem), protocol, task.set);
  options.thresholds = {task.threshold};
  return options;
}

StudyOptions default_options(const Network& network, const std::string& data, Protocol protocol) {
  Problem problem;
  problem.task = "network";
  problem.data = data;
  problem.network = network;
  const auto generated = std::ranges::find(tasks(), data, &Task::data);
  if (problem.generated() && generated != tasks().end()) {
    return options_of(std::move(problem), protocol, generated->set);
  }
  const bool text = problem.is_text();
  return options_of(std::move(problem), protocol, text ? set_texts : set_images);
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
  return is_recurrent(network) ? CheckKind::sampled : CheckKind::screened;
}

BeadDefaults default_beads(const StudyOptions& options, bool may_damp) {
  const Problem& problem = options.problem;
  const bool images = !problem.is_text() && !problem.generated() && !problem.augment;
  const bool by_loss = options.string.grid.metric != Metric::error_rate;
  if (options.protocol != Protocol::strict || !images ||
      !(by_loss || is_perceptron(problem.network))) {
    return {};
  }
  const bool batches = options.string.training.batch_size > 0;
  const bool weighs = by_loss && problem.loss == Loss::cross_entropy &&
                      takes_weights(problem.network) && !is_recurrent(problem.network);
  BeadDefaults beads{
      .average = batches ? 0.99 : 0.0, .importance = batches && weighs ? 0.5 : 0.0, .bend = 1.5};
  const auto* sgd = std::get_if<Sgd>(&options.string.training.optimizer);
  if (may_damp && beads.importance > 0.0 && is_perceptron(problem.network) && sgd != nullptr &&
      sgd->momentum > 0.0) {
    beads.damping = 1.0;
    beads.bend = 1.0;
    beads.learning_rate = 0.04;
    beads.check_every = 40;
  }
  return beads;
}

}  // namespace isthmus
