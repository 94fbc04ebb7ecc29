// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/names.h"
#include "isthmus/path/measures.h"
#include "isthmus/strings/method.h"
#include "isthmus/strings/repair.h"
#include "isthmus/strings/shorten.h"
#include "isthmus/study/problem.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// Which rules a study follows.
enum class Protocol {
  /// Algorithm 1 as stated: every grid point of a path, both end points among them, is at most L0;
  /// no bead where the straight line passes; end points of the pair; fast optimizer settings.
  strict,
  /// The published scripts, task by task: tolerance 1.02 or 1.1, no look at t = 1, a bead always
  /// put in at the middle, ten rounds, end points of the threshold, their optimizers and stopping
  /// cadence.
  paper,
};

template <>
inline constexpr auto enum_names<Protocol> =
    name_table<Protocol>("protocol", {{Protocol::strict, "strict"}, {Protocol::paper, "paper"}});

/// What one training of an end point is for.
enum class EndPointsOf {
  pair,       ///< all thresholds: the network is kept as it passes each
  threshold,  ///< one threshold: the next one's end points start anew, as in the published scripts
};

template <>
inline constexpr auto enum_names<EndPointsOf> = name_table<EndPointsOf>(
    "endpoints-of", {{EndPointsOf::pair, "pair"}, {EndPointsOf::threshold, "threshold"}});

/// What is done to the second end point of a pair before the two are joined.
enum class EndAlignment {
  none,
  weights,      ///< it becomes its copy of the least distance, see match_weights()
  activations,  ///< its copy of the largest correlation on training data, see match_activations()
};

template <>
inline constexpr auto enum_names<EndAlignment> =
    name_table<EndAlignment>("align",
                             {{EndAlignment::none, "none"},
                              {EndAlignment::weights, "weights"},
                              {EndAlignment::activations, "activations"}});

/// What strings begin from.
enum class StringStart {
  line,     ///< the straight segment between the end points
  descent,  ///< beads that train from the end points themselves, see connect_greedy_down()
  theory,   ///< the path that a theorem constructs, see theory_start()
};

template <>
inline constexpr auto enum_names<StringStart> =
    name_table<StringStart>("start",
                            {{StringStart::line, "line"},
                             {StringStart::descent, "descent"},
                             {StringStart::theory, "theory"}});

/// An end point that was not trained here.
struct GivenEndPoint {
  std::string name;          ///< the name of its file, without folder
  std::vector<float> theta;  ///< (P)
  /// LoadedNetwork::names; decides no number.
  std::map<std::string, std::string> names{};
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
  MethodOptions string{};
  /// What is done about strings that fail.
  RepairOptions repair{};
  /// Whether connected strings are made shorter, which the strict protocol alone has, and how.
  bool shorten = false;
  ShortenTerms shortening{};
  /// Of the end points; its metric and split are those of the string's grid.
  TrainOptions endpoints{};
  EndPointsOf endpoints_of = EndPointsOf::pair;
  OtherSplit other_split = OtherSplit::grid;
  /// Strings end at the aligned copy of B, where it is not none.
  EndAlignment align = EndAlignment::none;
  /// A string that fails from anything else is tried from the line.
  StringStart start = StringStart::line;
  /// End points of the user's own, instead of trained ones.
  std::optional<GivenEndPoint> from;
  std::optional<GivenEndPoint> to;

  /// Whether strings begin at initialisations, which are not trained before.
  bool begins_at_random() const {
    return string.method == Method::breadth_first && string.breadth_first.from_random;
  }
  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// Refuses what cannot bound a metric: thresholds that are not finite or not above 0, and error
/// rates of 1 or more, which hold everywhere. Throws UsageError.
void validate_threshold(double threshold, Metric metric);

/// A flat object of every value, keyed by the names of the command's options where there is one.
Json to_json(const StudyOptions& options);

}  // namespace isthmus
