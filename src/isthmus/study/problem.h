// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/names.h"
#include "isthmus/data/augment.h"
#include "isthmus/data/dataset.h"
#include "isthmus/data/generated.h"
#include "isthmus/data/normalisation.h"
#include "isthmus/net/engine.h"
#include "isthmus/net/network.h"
#include "isthmus/objective/objective.h"

namespace isthmus {

/// How the risk of a generated task is taken.
enum class Risk {
  oracle,     ///< a midpoint rule of the known input distribution, for training and test alike
  empirical,  ///< random points: each training run draws its own, each test set is drawn once
};

template <>
inline constexpr auto enum_names<Risk> =
    name_table<Risk>("risk", {{Risk::oracle, "oracle"}, {Risk::empirical, "empirical"}});

/// What is minimised, and on which data: all that is needed to compute a loss from a theta. It goes
/// into every path file, so that a path can be verified from the file and the data alone.
struct Problem {
  std::string task;  ///< the name it was asked for by, e.g. "quadratic"
  /// "quadratic", "cubic", "two-gaussians", "poor-minimum", "permuted-points" (generated), or the
  /// name of a
  /// data set of images or of a text (see `isthmus data list`)
  std::string data;
  Network network;
  Loss loss = Loss::absolute;
  /// On top of the loss, and of the metrics that are losses.
  Penalty penalty{};
  /// Quadratic and cubic alone:
  Risk risk = Risk::oracle;
  std::size_t risk_points = 256;  ///< and the points of two-gaussians
  /// Empirical risk alone: the stream of the test set.
  std::uint64_t test_seed = 0;
  std::uint64_t test_stream = 0;

  /// Two-gaussians and poor-minimum: the small variance (the points are those of `test_seed`).
  double covariance = 0.05;
  /// Permuted-points alone.
  Points points = equilateral_points();
  /// Images of bytes alone: cut to the network's input, and distorted in training.
  std::optional<AugmentOptions> augment{};
  /// Images of bytes alone, without `augment`: what they go through before the network sees them.
  std::optional<Normalisation> normalise{};
  /// Texts (ptb) alone: read as `streams` sequences side by side, `window` tokens of each a batch.
  std::size_t streams = 20;
  std::size_t window = 20;
  /// Whether training goes on from window to window with the network's state.
  bool carry_state = true;

  /// No data set is read.
  bool generated() const;
  /// The inputs are those of two-gaussians.
  bool has_covariance() const;
  /// The data are sequences of words.
  bool is_text() const;
  /// The input distribution is known: quadratic and cubic.
  bool has_risk() const;
};

Json to_json(const Problem& problem);
/// Throws DataError that names the field. Without a field "penalty" there is none: files from
/// before there were penalties; likewise "normalise".
Problem problem_from_json(const Json& json);

/// Reads the data set of a problem; nothing for generated data. Throws MissingInput or
/// DataError, and UsageError if the network's input or output, or the normalisation, does not fit
/// the data.
std::shared_ptr<const Dataset> load_data(const Problem& problem,
                                         const std::optional<std::filesystem::path>& data_folder);

/// The objective of a problem on its data (see load_data).
std::unique_ptr<Objective> make_objective(const Problem& problem,
                                          std::shared_ptr<const Dataset> data);

}  // namespace isthmus
