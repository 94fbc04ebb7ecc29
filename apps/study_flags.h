// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/study/task.h"

namespace isthmus::app {

/// Refuses what cannot be a number of threads.
CLI::Validator thread_count();
/// The workers of --threads: 0 stands for one each core.
std::size_t worker_count(std::size_t threads);

/// The options that `connect`, `sweep`, `train` and `check-gradient` share. What is not given takes
/// the task's default under the protocol.
struct StudyFlags {
  std::string task;
  std::optional<std::string> network;
  std::string dataset = "mnist";
  std::optional<std::string> data;
  std::optional<double> threshold;
  std::optional<std::string> thresholds;  ///< A,B,...
  std::optional<std::size_t> pairs;
  std::uint64_t seed = 1;
  std::string protocol = "strict";
  std::optional<std::string> risk;
  std::optional<std::size_t> risk_points;
  std::optional<double> covariance;
  std::optional<std::string> points_file;
  std::optional<std::string> split;
  std::optional<std::string> metric;
  std::optional<std::string> penalty;    ///< see penalty_of()
  std::optional<std::string> normalise;  ///< see normalisation_of()
  std::optional<double> alpha;
  std::optional<double> tolerance;
  std::optional<std::size_t> points;
  std::optional<std::string> check;
  std::optional<double> max_evaluations;
  std::optional<std::string> t_star;
  std::optional<std::size_t> max_rounds;
  std::optional<std::size_t> max_beads;
  std::optional<std::size_t> max_steps;
  std::optional<std::size_t> max_total_steps;
  std::optional<double> max_seconds;
  std::optional<std::size_t> endpoint_max_steps;
  std::optional<std::string> optimizer;
  std::optional<double> learning_rate;
  std::optional<double> endpoint_learning_rate;
  std::optional<std::size_t> batch_size;
  std::optional<std::size_t> check_every;
  std::optional<double> clip_norm;
  std::optional<std::string> schedule;
  std::optional<std::string> endpoint_weight_decay;
  std::optional<std::size_t> streams;
  std::optional<std::size_t> window;
  bool fresh_state = false;
  std::optional<std::string> other_split;
  bool double_softmax = false;
  std::size_t threads = 0;  ///< 0: as many as the machine has

  /// Task, network, data and seed.
  void add_problem(CLI::App& command);
  /// Optimizer, steps and cadence.
  void add_training(CLI::App& command);
  /// Everything about strings.
  void add_string(CLI::App& command);

  /// The options of a study: the task's defaults, overridden by what was given. Throws UsageError,
  /// DataError or MissingInput (the network's file).
  StudyOptions options() const;
  std::size_t worker_count() const;
  std::optional<std::filesystem::path> data_folder() const;
};

}  // namespace isthmus::app
