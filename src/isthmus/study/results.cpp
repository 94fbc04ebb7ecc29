// SPDX-License-Identifier: MIT
#include "isthmus/study/results.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "build_info.h"
#include "isthmus/core/json.h"

namespace isthmus {
namespace {

// End points of a pair train on from threshold to threshold, and their rows count from the start:
// the largest is what they cost.
std::uint64_t endpoint_cost(const StudyOptions& options, const std::vector<CellRow>& cells) {
  std::vector<std::uint64_t> of_pair(options.pairs);
  for (const CellRow& row : cells) {
    std::uint64_t& cost = of_pair[row.pair];
    cost = options.endpoints_of == EndPointsOf::pair
               ? std::max(cost, row.gradient_samples_endpoints)
               : cost + row.gradient_samples_endpoints;
  }
  return std::accumulate(of_pair.begin(), of_pair.end(), std::uint64_t{0});
}

}  // namespace

Json manifest_of(const StudyOptions& options, const Dataset* data) {
  Json sources = Json::array();
  if (data) {
    for (const SourceFile& source : data->sources) {
      sources.push_back({{"name", source.name}, {"sha256", source.sha256}});
    }
  }
  return {{"format", run_format},
          {"version", ISTHMUS_VERSION},
          {"commit", ISTHMUS_COMMIT},
          {"compiler", __VERSION__},
          {"build_flags", ISTHMUS_BUILD_FLAGS},
          {"seed", options.seed},
          {"data", {{"name", options.problem.data}, {"files", std::move(sources)}}}};
}

Json summary_of(const StudyOptions& options, const std::vector<CellRow>& cells) {
  Json verdicts = Json::object();
  for (const auto& [verdict, name] : enum_names<Verdict>.all) {
    verdicts[std::string(name)] = std::ranges::count(cells, verdict, &CellRow::verdict);
  }
  std::uint64_t beads = 0;
  std::uint64_t checks = 0;
  std::uint64_t tries = 0;
  for (const CellRow& row : cells) {
    tries += row.tries;
    beads += row.gradient_samples_beads;
    checks += row.forward_samples_checks;
  }
  return {{"format", run_format},
          {"task", options.problem.task},
          {"protocol", name_of(options.protocol)},
          {"metric", name_of(options.string.grid.metric)},
          {"split", name_of(options.string.grid.split)},
          {"cells", cells.size()},
          {"verdicts", std::move(verdicts)},
          {"repaired", std::ranges::count(cells, "repaired", &CellRow::joined)},
          {"tries", tries},
          {"gradient_samples_endpoints", endpoint_cost(options, cells)},
          {"gradient_samples_beads", beads},
          {"forward_samples_checks", checks}};
}

Json shortening_of(const std::vector<std::optional<CellRecord>>& cells) {
  std::vector<double> before;
  std::vector<double> after;
  std::vector<double> estimates;
  std::size_t shorter = 0;
  for (const std::optional<CellRecord>& cell : cells) {
    if (!cell || !cell->details.contains("shortening")) {
      continue;
    }
    const Json& one = cell->details["shortening"];
    before.push_back(number_or_nan(one["length_before"]));
    after.push_back(number_or_nan(one["length_after"]));
    estimates.push_back(number_or_nan(one["length_estimate"]));
    shorter += one["shorter"].get<bool>() ? 1 : 0;
  }
  return {{"tried", before.size()},
          {"shorter", shorter},
          {"length_before_mean", number_or_null(mean_error(before).mean)},
          {"length_after_mean", number_or_null(mean_error(after).mean)},
          {"length_estimate_mean", number_or_null(mean_error(estimates).mean)}};
}

}  // namespace isthmus
