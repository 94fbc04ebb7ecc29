// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/study/options.h"

namespace isthmus {

/// A task that the command knows by name: one value in the list of its family (study/tasks).
struct Task {
  std::string_view name;
  std::string_view summary;  ///< one line
  std::string_view data;     ///< see Problem::data
  double threshold = 0.0;    ///< a good first one
  Network (*network)();
  /// Sets what the family and its protocol ask for, once problem.task, data and network are set.
  void (*set)(StudyOptions& options);
  bool double_softmax = false;                 ///< see default_options()
  std::vector<double> published_thresholds{};  ///< descending; empty if none were published
};

const std::vector<Task>& tasks();
/// Throws UsageError that lists the known names.
const Task& task_of(std::string_view name);

/// The defaults of a task under a protocol: every field but thresholds, pairs and seed.
/// `softmax_output` puts a softmax before the cross-entropy, which applies its own: the double
/// softmax of the published MNIST script. Throws UsageError for it where the task has none, and for
/// a protocol that the task does not have.
StudyOptions default_options(const Task& task, Protocol protocol, bool softmax_output = false);

/// The defaults for a network of the user's own on an IDX data set.
StudyOptions default_options(const Network& network, const std::string& data, Protocol protocol);

/// Proofs under the strict protocol for perceptrons of at most five dense layers whose metric is
/// covered: there they cost less than a grid. A proof for a convolutional network takes several
/// times as long as one: it is screened where samples stand alone. Grids for everything else: the
/// published rules are about grids.
CheckKind default_check(const Network& network, Metric metric, Protocol protocol);

/// How beads train and begin: see TrainOptions::average, importance and damping, and
/// GreedyOptions::bead_bend.
struct BeadDefaults {
  double average = 0.0;
  double importance = 0.0;
  double damping = 0.0;
  double bend = 0.0;
  std::optional<double> learning_rate{};     ///< else the task's
  std::optional<std::size_t> check_every{};  ///< likewise
};

/// Averages that begin beyond the bend where that was measured to cost less: under the strict
/// protocol for images that are not distorted, by a loss, or by the error rate of a perceptron. No
/// averages on full batches, whose looks are free. Importance by a cross-entropy alone. Perceptrons
/// by a cross-entropy, whose beads train by momentum, are damped if `may_damp`: then at another
/// rate, from another start, and looked at less often.
BeadDefaults default_beads(const StudyOptions& options, bool may_damp = true);

}  // namespace isthmus
