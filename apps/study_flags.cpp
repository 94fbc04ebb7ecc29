// SPDX-License-Identifier: MIT
#include "study_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "flag_values.h"
#include "isthmus/certify/lower_bound.h"
#include "isthmus/core/error.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/study/option_table.h"
#include "isthmus/train/option_table.h"

namespace isthmus::app {
namespace {

// Of the published scripts, in place of the midpoint rule's.
constexpr std::size_t empirical_points = 10'000;

}  // namespace

template <class S>
void StudyFlags::add(Parser& command,
                     const Option<S>& option,
                     const std::string& help,
                     const std::string& prefix,
                     const std::string& group) {
  const std::string flag = prefix + std::string(option.text.flag);
  if (option.type == "BOOL") {
    command
        .add_flag_callback(
            "--" + flag, [this, flag] { given_[flag] = "true"; }, help)
        ->group(group);
    return;
  }
  command
      .add_option_function(
          "--" + flag, [this, flag](const std::string& text) { given_[flag] = text; }, help)
      ->type_name(std::string(option.type))
      ->group(group);
}

template <class S>
void StudyFlags::add_all(Parser& command, const OptionTable<S>& table, const std::string& group) {
  for (const Option<S>& option : table) {
    if (!option.text.flag.empty() && option.text.group == group) {
      add(command, option, option_help(option.text, option.range), "", group);
    }
  }
}

template <class S>
void StudyFlags::apply(const OptionTable<S>& table,
                       std::type_identity_t<S>& values,
                       const std::string& prefix) const {
  for (const Option<S>& option : table) {
    const auto text = given_.find(prefix + std::string(option.text.flag));
    if (!option.text.flag.empty() && text != given_.end()) {
      option.parse(values, text->second);
    }
  }
}

void StudyFlags::add_network(Parser& command, const std::string& group) {
  command
      .add_option("--network",
                  network,
                  "A network of your own: a JSON file with its stack of layers (docs/networks.md)")
      ->group(group);
  command
      .add_option("--dataset",
                  dataset,
                  "With --network: the data set it is for, a known one or an IDX set of your own, "
                  "a folder of that name below --data (see `isthmus data list`) [mnist]")
      ->group(group);
}

void StudyFlags::add_problem(Parser& command) {
  command.add_option(
      "task",
      task,
      "What to train: quadratic, cubic, mnist, fashion-mnist, mnist-mlp, cifar10, ptb, "
      "two-gaussians, poor-minimum, permuted-points (see `isthmus list`), or leave it out and give "
      "--network");
  const auto group = "Problem";
  add_network(command, group);
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
  command
      .add_option(
          "--protocol",
          protocol,
          "strict: Algorithm 1 as stated, fast settings; paper: the published scripts' rules")
      ->capture_default_str()
      ->group(group);
  add_all(command, problem_option_table(), group);
  command
      .add_option("--points-file",
                  points_file,
                  "permuted-points: a file of three lines \"x y\" [the corners of an equilateral "
                  "triangle]")
      ->group(group);
  add_all(command, study_option_table(), group);
  add_all(command, string_option_table(), group);
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

void StudyFlags::add_training(Parser& command) {
  const auto group = "Training";
  add_all(command, train_option_table(), group);
  const Option<TrainOptions>& rate = train_flag_table().front();
  const Option<TrainOptions>& decay = train_flag_table().back();
  add(command, rate, option_help(rate.text, rate.range), "", group);
  add(command, rate, "Of end points", "endpoint-", group);
  add(command,
      decay,
      fmt::format("Of end points: {}. {}", decay.range, decay.text.help),
      "endpoint-",
      group);
  add_all(command, problem_option_table(), group);
  add_all(command, study_option_table(), group);
  add(command,
      from_key(train_option_table(), "max_steps").front(),
      "Budget of one end point, gradient steps",
      "endpoint-",
      group);
}

void StudyFlags::add_string(Parser& command) {
  const auto group = "String";
  add_all(command, string_option_table(), group);
  add_all(command, greedy_option_table(), group);
  add_all(command, method_option_table(), group);
  for_each_terms(StudyOptions{}.string,
                 [&](const auto& table, const auto&, Method) { add_all(command, table, group); });
  add_all(command, shorten_option_table(), group);
  add_all(command, repair_option_table(), group);
  add_all(command, train_option_table(), group);
  add_all(command, study_option_table(), group);
  add(command,
      train_option_table().front(),
      "Of beads alone, as --optimizer is of beads and end points [docs/defaults.md]",
      "bead-",
      group);
}

void StudyFlags::add_pairs(Parser& command) {
  const Option<StudyOptions>& pairs = study_option_table().front();
  add(command, pairs, option_help(pairs.text, pairs.range));
}

void StudyFlags::add_points(Parser& command, const std::string& help) {
  add(command, from_key(string_option_table(), "points").front(), help);
}

StudyOptions StudyFlags::options() const {
  const Protocol rules = named<Protocol>(protocol);
  StudyOptions study;
  if (network && !task.empty()) {
    throw UsageError("give a task or --network, not both");
  }
  if (network) {
    study = default_options(read_network(*network), dataset.value_or("mnist"), rules);
  } else if (task.empty()) {
    throw UsageError("give a task (see `isthmus list`) or --network FILE");
  } else {
    const Task& known = task_of(task);
    study = default_options(known, rules, double_softmax);
  }
  if (dataset && !network) {
    throw UsageError(
        "--dataset: the data set of a --network, which is not given; a task has its own");
  }
  if (normalise) {
    study.problem.normalise = normalisation_of(*normalise);
  }
  apply(study_option_table(), study);
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
  set_problem(study);
  apply(string_option_table(), study.string);
  set_method(study.string);
  set_repair(study);
  apply(greedy_option_table(), study.string);
  apply(shorten_option_table(), study.shortening);
  for (const Option<ShortenTerms>& option : shorten_option_table()) {
    if (!study.shorten && given(std::string(option.text.flag))) {
      throw UsageError(
          fmt::format("--{}: an option of --shorten, which is not given", option.text.flag));
    }
  }
  set_check(study);
  refuse_idle(study.string);
  set_training(study);
  return study;
}

// What the task's data do not have.
void StudyFlags::refuse_foreign(const Problem& problem) const {
  const auto refuse = [&](bool has, const std::string& flag, std::string_view who) {
    if (!has && given(flag)) {
      throw UsageError(fmt::format("--{}: only {} have one, not {}", flag, who, problem.task));
    }
  };
  refuse(problem.has_risk(), "risk", "quadratic and cubic");
  refuse(problem.has_risk() || problem.has_covariance(),
         "risk-points",
         "quadratic, cubic, two-gaussians and poor-minimum");
  refuse(problem.has_covariance(), "covariance", "two-gaussians and poor-minimum");
  for (const char* flag : {"streams", "window", "fresh-state"}) {
    refuse(problem.is_text(), flag, "texts");
  }
}

void StudyFlags::set_problem(StudyOptions& study) const {
  refuse_foreign(study.problem);
  apply(problem_option_table(), study.problem);
  if (study.problem.risk == Risk::empirical && !given("risk-points")) {
    study.problem.risk_points = empirical_points;
  }
  if (study.problem.has_covariance()) {
    study.problem.test_seed = study.seed;
  }
  if (points_file && study.problem.data != "permuted-points") {
    throw UsageError(
        fmt::format("--points-file: only permuted-points has one, not {}", study.problem.task));
  }
  if (points_file) {
    study.problem.points = read_points(*points_file);
  }
}

bool StudyFlags::compare() const {
  const auto method = given_.find("method");
  return method != given_.end() && method->second == "compare";
}

void StudyFlags::set_method(MethodOptions& string) const {
  if (!compare()) {
    const auto method = given_.find("method");
    if (method != given_.end() && !find_named<Method>(method->second)) {
      const auto names = names_of<Method>();
      std::vector<std::string_view> known(names.begin(), names.end());
      known.push_back("compare");
      refuse_name("method", known, method->second);
    }
    apply(method_option_table(), string);
  }
  for_each_terms(string, [&](const auto& table, auto& terms, Method method) {
    apply(table, terms);
    for (const auto& option : table) {
      if (!compare() && method != string.method && given(std::string(option.text.flag))) {
        throw UsageError(fmt::format("--{}: an option of --method {}, not of {}",
                                     option.text.flag,
                                     name_of(method),
                                     name_of(string.method)));
      }
    }
  });
}

// What greedy sampling alone is told, and given end points are not trained.
void StudyFlags::refuse_idle(const MethodOptions& string) const {
  const bool rounds = string.method == Method::greedy || string.method == Method::constrained;
  for (const Option<GreedyOptions>& option : greedy_option_table()) {
    if (!rounds && !compare() && given(std::string(option.text.flag))) {
      throw UsageError(fmt::format("--{}: an option of --method greedy and constrained, not of {}",
                                   option.text.flag,
                                   name_of(string.method)));
    }
  }
  if (given("max-evaluations") && string.check != CheckKind::certified) {
    throw UsageError(fmt::format("--max-evaluations: the budget of a proof, and the check is {}",
                                 name_of(string.check)));
  }
  for (const char* of_beads : {"bead-average", "bead-importance", "bead-damping"}) {
    if (given(of_beads) && !compare() && !trains_beads_alone(string.method)) {
      throw UsageError(fmt::format(
          "--{}: an option of methods that train each bead by itself, not of --method {}",
          of_beads,
          name_of(string.method)));
    }
  }
  if (given("max-rounds") && string.method == Method::neb) {
    throw UsageError("--max-rounds: --method neb has --neb-cycles in its place");
  }
}

void StudyFlags::set_repair(StudyOptions& study) const {
  if (!compare() && !repairs_by_default(study.string.method)) {
    study.repair.mode = RepairMode::none;
  }
  apply(repair_option_table(), study.repair);
  if (study.repair.mode == RepairMode::restarts) {
    study.string.stagnation = stagnation_with_repair;
    return;
  }
  study.string.stagnation = 0;
  if (given("repair-tries")) {
    throw UsageError("--repair-tries: an option of --repair restarts, not of none");
  }
}

void StudyFlags::set_check(StudyOptions& study) const {
  if (!given("check")) {
    study.string.check =
        default_check(study.problem.network, study.string.grid.metric, study.protocol);
    return;
  }
  if (const auto reason = reason_not_covered(study.problem.network, study.string.grid.metric);
      reason && study.string.check == CheckKind::certified) {
    throw UsageError(fmt::format("--check certified: {}; use --check sampled", *reason));
  }
  if (study.string.check == CheckKind::screened && study.problem.is_text()) {
    throw UsageError(fmt::format(
        "--check screened: expected a metric of samples that stand alone, got {} of a text; use "
        "--check sampled",
        name_of(study.string.grid.metric)));
  }
}

// What beads have by default follows from what was given.
void StudyFlags::set_beads(StudyOptions& study) const {
  TrainOptions& training = study.string.training;
  const bool may_damp = !given("bead-damping") || training.damping > 0.0;
  const BeadDefaults beads = default_beads(study, may_damp);
  if (!given("bead-average")) {
    training.average = beads.average;
  }
  if (!given("bead-importance")) {
    training.importance = beads.importance;
  }
  if (!given("bead-damping")) {
    training.damping = beads.damping;
  }
  if (!given("bead-bend")) {
    study.string.bead_bend = beads.bend;
  }
  if (beads.learning_rate && !given("learning-rate")) {
    std::visit([&](auto& kind) { kind.learning_rate = *beads.learning_rate; }, training.optimizer);
  }
  if (beads.check_every && !given("check-every") && !given("bead-check-every")) {
    training.check_every = *beads.check_every;
  }
}

void StudyFlags::set_training(StudyOptions& study) const {
  const std::size_t endpoint_steps = study.endpoints.max_steps;
  for (TrainOptions* training : {&study.endpoints, &study.string.training}) {
    apply(train_option_table(), *training);
    apply(train_flag_table(), *training);
  }
  apply(train_option_table(), study.string.training, "bead-");
  set_beads(study);
  study.endpoints.max_steps = endpoint_steps;  // --max-steps is of beads
  apply(train_option_table(), study.endpoints, "endpoint-");
  apply(train_flag_table(), study.endpoints, "endpoint-");
  if (study.problem.is_text() && !given("batch-size")) {
    study.endpoints.batch_size = study.problem.streams * study.problem.window;
    study.string.training.batch_size = study.endpoints.batch_size;
  }
}

void StudyFlags::refuse_training_of_end_points() const {
  for (const auto& [flag, text] : given_) {
    if (flag.starts_with("endpoint")) {
      throw UsageError(fmt::format(
          "--{}: end points are trained where none are given; leave it out, or --from and --to",
          flag));
    }
  }
}

std::size_t StudyFlags::worker_count() const {
  return app::worker_count(threads);
}

std::optional<std::filesystem::path> StudyFlags::data_folder() const {
  return data ? std::optional<std::filesystem::path>(*data) : std::nullopt;
}

}  // namespace isthmus::app
