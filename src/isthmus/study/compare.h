// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/study/study.h"

namespace isthmus {

/// What a method made of all pairs at one threshold. Lengths and beads are means over its connected
/// pairs.
struct MethodRow {
  Method method = Method::greedy;
  double threshold = 0.0;
  std::size_t pairs = 0;
  std::size_t connected = 0;
  std::string proof{};        ///< as in cells.csv; "mixed" where pairs differ
  double maximum = no_value;  ///< the largest over all pairs: bounds where proven, else values
  double length = no_value;   ///< normalised
  double beads = no_value;    ///< end points counted
  std::uint64_t gradient_samples = 0;  ///< of beads, over all pairs
  std::uint64_t forward_samples = 0;   ///< of looks and checks, over all pairs
  double seconds = no_value;           ///< of the cells that this call computed; NaN: none
  std::string refused{};  ///< why the method cannot be asked for this; then there are no numbers
};

/// Runs the study once with each method, on the same end points, in a run directory of its own
/// below `folder`; the repair of the options is for methods that have it by default. Methods in the
/// order of their names' table; rows by threshold, then by method. Each run keeps its own
/// configuration. Otherwise as run_study, and resumed in the same way; a method that refuses the
/// study (UsageError) is a row that says so. Keeps the end points of all pairs in memory.
std::vector<MethodRow> compare_methods(
    const StudyOptions& options,
    const std::shared_ptr<const Dataset>& data,
    const std::filesystem::path& folder,
    bool resume,
    double checkpoint_seconds,
    Workers& workers,
    const Stop* stop = nullptr,
    const std::function<void(Method, const StudyProgress&)>& progress = nullptr);

/// The rows as CSV, but for their seconds: equal options give equal bytes.
std::string to_csv(const std::vector<MethodRow>& rows);

}  // namespace isthmus
