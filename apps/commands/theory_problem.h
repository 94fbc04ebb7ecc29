// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/objective/objective.h"
#include "isthmus/study/problem.h"
#include "study_flags.h"

namespace isthmus::app {

/// Networks and data that a subcommand of `isthmus theory` is given.
struct GivenNetworks {
  Problem problem;
  std::unique_ptr<Objective> objective;
  Split split = Split::test;
  Metric metric = Metric::mean_squared_error;
  std::vector<float> a;  ///< (P), or empty: not given
  std::vector<float> b;
};

/// Their options: TASK or --network, --dataset, --data, --split, --from, --to and
/// --names.
class GivenNetworksFlags {
 public:
  void add(Parser& parser);
  /// Whether a task or a network was named.
  bool given() const { return !flags_.task.empty() || flags_.network.has_value(); }
  std::string dataset() const { return flags_.dataset.value_or("mnist"); }
  std::optional<std::filesystem::path> data_folder() const { return flags_.data_folder(); }
  /// Reads them. Throws UsageError for end points without a network or one end point alone, and as
  /// what reads the files.
  GivenNetworks read(std::uint64_t seed) const;

 private:
  StudyFlags flags_;
  std::optional<std::string> split_;
  std::optional<std::string> from_;
  std::optional<std::string> to_;
  std::optional<std::string> names_;
};

}  // namespace isthmus::app
