// SPDX-License-Identifier: MIT
#include "isthmus/study/end_point_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "isthmus/core/files.h"
#include "isthmus/core/rng.h"
#include "isthmus/study/study.h"

namespace isthmus {
namespace {

// Words that keep the random streams of different purposes apart.
constexpr std::uint64_t end_point_purpose = 0x656e64;  // "end"
constexpr std::uint64_t initial_purpose = 0x696e6974;  // "init"

// Trainings for one threshold alone start from different weights.
std::uint64_t threshold_word(const StudyOptions& options, double threshold) {
  return options.endpoints_of == EndPointsOf::pair ? 0 : std::bit_cast<std::uint64_t>(threshold);
}

TrainJob new_job(const StudyOptions& options,
                 const Objective& objective,
                 std::size_t pair,
                 char side,
                 std::vector<double> targets) {
  const std::uint64_t name = stream_name({end_point_purpose,
                                          pair,
                                          static_cast<std::uint64_t>(side),
                                          threshold_word(options, targets.front())});
  TrainJob job;
  job.theta.resize(objective.dimension());
  objective.initialise(options.seed, stream_name({initial_purpose, name}), job.theta);
  job.targets = std::move(targets);
  job.seed = options.seed;
  job.stream = name;
  return job;
}

TrainOptions training_of(const StudyOptions& options) {
  TrainOptions training = options.endpoints;
  training.metric = options.string.grid.metric;
  training.split = options.string.grid.split;
  return training;
}

char letter_of(std::size_t side) {
  return side == 0 ? 'A' : 'B';
}

}  // namespace

std::optional<EndPointCache::Ends> EndPointCache::find(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = ends_.find(key);
  return found == ends_.end() ? std::nullopt : std::optional(found->second);
}

void EndPointCache::keep(const Key& key, const Ends& ends) {
  const std::lock_guard lock(mutex_);
  ends_.insert_or_assign(key, ends);
}

EndPointTrainer::EndPointTrainer(const StudyOptions& options,
                                 RunDirectory& run,
                                 const Stop* stop,
                                 Tell tell,
                                 EndPointCache* cache)
    : options_(options),
      run_(run),
      stop_(stop),
      tell_(std::move(tell)),
      cache_(cache),
      for_all_(options.endpoints_of == EndPointsOf::pair) {
}

std::string EndPointTrainer::name(std::size_t pair, char side, double target) const {
  return for_all_ ? fmt::format("endpoint_{}{}_{}", pair, side, format_number(target))
                  : fmt::format("endpoint_{}_{}{}", format_number(target), pair, side);
}

// One for all thresholds of a pair, or one for each.
std::string EndPointTrainer::state_name(std::size_t pair, char side, double first_target) const {
  return for_all_ ? fmt::format("{}{}", pair, side)
                  : fmt::format("{}_{}{}", format_number(first_target), pair, side);
}

// Reads the snapshots that are there. Returns how many targets, from the first on, need no
// training any more: their snapshot is there, or their cell is finished.
std::size_t EndPointTrainer::find(std::size_t pair,
                                  char side,
                                  const std::vector<double>& targets,
                                  const std::vector<bool>& finished,
                                  std::vector<EndPoint>& points) const {
  std::size_t known = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    std::optional<Snapshot> snapshot;
    if (!finished[i]) {
      snapshot = run_.find_endpoint(name(pair, side, targets[i]));
    }
    if (snapshot) {
      points[i] = {
          .theta = std::move(snapshot->theta), .reached = true, .summary = snapshot->summary};
    }
    known += known == i && (finished[i] || snapshot) ? 1 : 0;
  }
  return known;
}

// The training that puts an end point into `points` at each target it reaches.
TrainJob EndPointTrainer::job(const Objective& objective,
                              std::size_t pair,
                              char side,
                              const std::vector<double>& targets,
                              std::vector<EndPoint>& points) {
  TrainJob job = new_job(options_, objective, pair, side, targets);
  const bool keep = is_kept_in_pieces(objective);
  job.on_target = [this, pair, side, keep, &points](std::size_t index, const Snapshot& snapshot) {
    points[index] = {.theta = snapshot.theta, .reached = true, .summary = snapshot.summary};
    if (keep) {
      run_.keep_endpoint(name(pair, side, snapshot.target), snapshot);
    }
    tell_({.pair = pair, .side = side, .threshold = snapshot.target, .reached = true});
  };
  return job;
}

std::array<std::vector<EndPoint>, 2> EndPointTrainer::of_pair(Evaluators& evaluators,
                                                              std::size_t pair,
                                                              const std::vector<double>& targets,
                                                              const std::vector<bool>& finished) {
  const bool all = cache_ && std::ranges::none_of(finished, std::identity{});
  if (auto known = all ? cache_->find({pair, targets}) : std::nullopt) {
    return std::move(*known);
  }
  auto ends = trained(evaluators, pair, targets, finished);
  if (all) {
    cache_->keep({pair, targets}, ends);
  }
  return ends;
}

std::array<std::vector<EndPoint>, 2> EndPointTrainer::trained(Evaluators& evaluators,
                                                              std::size_t pair,
                                                              const std::vector<double>& targets,
                                                              const std::vector<bool>& finished,
                                                              std::size_t count) {
  std::array<std::vector<EndPoint>, 2> ends;
  if (options_.from) {
    ends[0].assign(targets.size(), EndPoint{.theta = options_.from->theta, .summary = {}});
    ends[1].assign(targets.size(), EndPoint{.theta = options_.to->theta, .summary = {}});
    return ends;
  }
  if (options_.begins_at_random()) {
    for (std::size_t side = 0; side < 2; ++side) {
      const TrainJob start =
          new_job(options_, evaluators.objective(), pair, letter_of(side), targets);
      ends[side].assign(targets.size(), EndPoint{.theta = start.theta, .summary = {}});
    }
    return ends;
  }
  const bool keep = is_kept_in_pieces(evaluators.objective());
  std::vector<TrainJob> jobs;
  std::vector<std::size_t> sides;
  for (std::size_t side = 0; side < count; ++side) {
    const char letter = letter_of(side);
    ends[side].resize(targets.size());
    const std::size_t known = keep ? find(pair, letter, targets, finished, ends[side]) : 0;
    if (known == targets.size()) {
      continue;
    }
    jobs.push_back(job(evaluators.objective(), pair, letter, targets, ends[side]));
    sides.push_back(side);
    if (keep) {
      TrainCheckpoint state = run_.endpoint_state(state_name(pair, letter, targets.front()));
      state.targets_known = known;
      state.keep_last = for_all_;
      jobs.back().checkpoint = std::move(state);
    }
  }
  train(evaluators, jobs, training_of(options_), stop_, [&](const TrainProgress& training) {
    tell_({.pair = pair,
           .side = letter_of(sides[training.job]),
           .threshold = training.target,
           .training = training});
  });
  run_.obey(stop_);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    for (EndPoint& point : ends[sides[i]]) {
      if (point.theta.empty()) {
        point = {.theta = jobs[i].theta, .reached = false, .summary = jobs[i].summary};
      }
    }
  }
  return ends;
}

TrainJob train_end_point(const StudyOptions& options,
                         Evaluators& evaluators,
                         std::size_t pair,
                         char side,
                         std::optional<TrainCheckpoint> checkpoint,
                         const Stop* stop,
                         const std::function<void(const TrainProgress&)>& progress) {
  TrainJob job = new_job(options, evaluators.objective(), pair, side, options.thresholds);
  job.checkpoint = std::move(checkpoint);
  train(evaluators, {&job, 1}, training_of(options), stop, progress);
  return job;
}

}  // namespace isthmus
