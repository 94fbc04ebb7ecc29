// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "isthmus/core/options.h"
#include "isthmus/study/task.h"
#include "parser.h"

namespace isthmus::app {

/// Refuses what cannot be a number of threads.
Refusal thread_count();
/// Refuses what is no time above 0.
Refusal positive_seconds();
/// The workers of --threads: 0 stands for one each core.
std::size_t worker_count(std::size_t threads);

/// The options that `connect`, `sweep`, `train` and `check-gradient` share. What is not given takes
/// the task's default under the protocol.
struct StudyFlags {
  std::string task;
  std::optional<std::string> network;
  std::optional<std::string> dataset;  ///< of --network [mnist]
  std::optional<std::string> data;
  std::optional<double> threshold;
  std::optional<std::string> thresholds;  ///< A,B,...
  std::string protocol = "strict";
  std::optional<std::string> points_file;
  std::optional<std::string> normalise;  ///< see normalisation_of()
  bool double_softmax = false;
  std::size_t threads = 0;  ///< 0: as many as the machine has

  /// Task, network, data and seed.
  void add_problem(Parser& command);
  /// Optimizer, steps and cadence.
  void add_training(Parser& command);
  /// Everything about strings.
  void add_string(Parser& command);
  /// Single ones of those.
  void add_pairs(Parser& command);
  void add_points(Parser& command, const std::string& help);

  /// The options of a study: the task's defaults, overridden by what was given. Throws UsageError,
  /// DataError or MissingInput (the network's file).
  StudyOptions options() const;
  /// As if that flag had been given, unless it was.
  void preset(const std::string& flag, const std::string& text) { given_.try_emplace(flag, text); }
  /// Throws UsageError for what is told of the training of end points that are given.
  void refuse_training_of_end_points() const;
  /// --method compare: all of them; options() is then that of the first.
  bool compare() const;
  std::size_t worker_count() const;
  std::optional<std::filesystem::path> data_folder() const;

 private:
  template <class S>
  void add(Parser& command,
           const Option<S>& option,
           const std::string& help,
           const std::string& prefix = "",
           const std::string& group = "Options");
  template <class S>
  void add_all(Parser& command, const OptionTable<S>& table, const std::string& group);
  template <class S>
  void apply(const OptionTable<S>& table,
             std::type_identity_t<S>& values,
             const std::string& prefix = "") const;
  bool given(const std::string& flag) const { return given_.contains(flag); }

  void add_network(Parser& command, const std::string& group);
  void refuse_foreign(const Problem& problem) const;
  void set_problem(StudyOptions& study) const;
  void set_method(MethodOptions& string) const;
  void refuse_idle(const MethodOptions& string) const;
  void set_repair(StudyOptions& study) const;
  void set_check(StudyOptions& study) const;
  void set_training(StudyOptions& study) const;
  void set_beads(StudyOptions& study) const;

  std::map<std::string, std::string> given_;  // the texts behind the flags of the tables of options
};

}  // namespace isthmus::app
