// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/names.h"
#include "isthmus/path/measures.h"
#include "isthmus/study/problem.h"
#include "isthmus/strings/greedy.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// Which rules a study follows.
enum class Protocol {
  /// Algorithm 1 as stated: every grid point of a path, both end points among them, is at most L0;
  /// no
  /// bead where the straight line passes; end points are trained once for all thresholds; fast
  /// optimizer settings.
  strict,
  /// The published scripts, task by task: tolerance 1.02 or 1.1, no look at t = 1, a bead always
  /// put
  /// in at the middle, ten rounds, their optimizers and stopping cadence.
  paper,
};

template <>
inline constexpr auto enum_names<Protocol> =
    name_table<Protocol>("protocol", {{Protocol::strict, "strict"}, {Protocol::paper, "paper"}});

/// An end point that was not trained here.
struct GivenEndPoint {
  std::string name;          ///< the name of its file, without folder
  std::vector<float> theta;  ///< (P)
};

/// Everything that decides the numbers of a study, and nothing else (no threads, no folders): equal
/// options give equal files.
struct StudyOptions {
  Problem problem;
  Protocol protocol = Protocol::strict;
  std::vector<double> thresholds;  ///< L0, descending
  std::size_t pairs = 1;
  std::uint64_t seed = 1;
  /// All but threshold, seed and stream, which each cell sets.
  GreedyOptions string{};
  /// Of the end points; its metric and split are those of the string's grid.
  TrainOptions endpoints{};
  OtherSplit other_split = OtherSplit::grid;
  /// End points of the user's own, instead of trained ones.
  std::optional<GivenEndPoint> from;
  std::optional<GivenEndPoint> to;

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// A flat object of every value, keyed by the names of the command's options where there is one.
Json to_json(const StudyOptions& options);

/// A task that the command knows by name.
struct Task {
  std::string_view name;
  std::string_view summary;                  ///< one line
  double threshold = 0.0;                    ///< a good first one
  std::vector<double> published_thresholds;  ///< descending; empty if none were published
};

const std::vector<Task>& tasks();
/// Throws UsageError that lists the known names.
const Task& task_of(std::string_view name);

/// The defaults of a task under a protocol: every field but thresholds, pairs and seed.
/// `softmax_output` puts a softmax before the cross-entropy, which applies its own: the double
/// softmax of the published MNIST script.
StudyOptions default_options(const Task& task, Protocol protocol, bool softmax_output = false);

/// The defaults for a network of the user's own on an IDX data set.
StudyOptions default_options(const Network& network, const std::string& data, Protocol protocol);

/// Proofs under the strict protocol for perceptrons of at most five dense layers whose metric is
/// covered: there they cost less than a grid. A proof for a convolutional network takes several
/// times as long as one: its error rates are screened. Grids for everything else: the published
/// rules are about grids.
CheckKind default_check(const Network& network, Metric metric, Protocol protocol);

}  // namespace isthmus
