// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/study/study.h"

namespace isthmus {
namespace {

// The metadata of a path file, with errors that name it.
class Metadata {
 public:
  Metadata(const std::filesystem::path& file, const std::map<std::string, std::string>& entries)
      : file_(file), entries_(entries) {}

  const std::string& text(const std::string& key) const {
    const auto entry = entries_.find(key);
    if (entry == entries_.end()) {
      throw DataError(fmt::format("{}: its metadata have no '{}'", file_.string(), key));
    }
    return entry->second;
  }

  double number(const std::string& key) const {
    const std::string& digits = text(key);
    double value = 0.0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(value)) {
      throw DataError(fmt::format(
          "{}: metadata '{}': expected a number, found '{}'", file_.string(), key, digits));
    }
    return value;
  }

  Problem problem() const {
    try {
      return problem_from_json(Json::parse(text("problem")));
    } catch (const Json::exception& error) {
      throw DataError(fmt::format("{}: metadata 'problem': {}", file_.string(), error.what()));
    } catch (const DataError& error) {
      throw DataError(fmt::format("{}: {}", file_.string(), error.what()));
    }
  }

 private:
  const std::filesystem::path& file_;
  const std::map<std::string, std::string>& entries_;
};

}  // namespace

Verification verify_path(const std::filesystem::path& file,
                         const VerifyOptions& options,
                         Workers& workers,
                         const Stop* stop) {
  const PathFile path = read_path(file);
  const Metadata metadata(file, path.metadata);
  Verification result;
  result.problem = metadata.problem();
  result.threshold = options.threshold.value_or(metadata.number("threshold"));
  result.tolerance = options.threshold ? 1.0 : metadata.number("tolerance");
  result.grid.points = options.points.value_or(static_cast<std::size_t>(metadata.number("points")));
  result.grid.split = options.split ? *options.split : split_of(metadata.text("split"));
  result.grid.metric = options.metric ? *options.metric : metric_of(metadata.text("metric"));
  result.grid.bound = result.threshold * result.tolerance;
  result.grid.stop_at_failure = false;
  const std::unique_ptr<Objective> objective =
      make_objective(result.problem, load_data(result.problem, options.data_folder));
  if (to_json(objective->layout()) != to_json(path.layout)) {
    throw DataError(fmt::format("{}: its layout is not that of its network", file.string()));
  }
  if (!objective->supports(result.grid.metric)) {
    throw UsageError(fmt::format("metric: {} cannot be computed for the task {}",
                                 name_of(result.grid.metric),
                                 result.problem.task));
  }
  Evaluators evaluators(*objective, workers);
  result.segments = check_path(evaluators, path.path, result.grid, stop);
  result.beads = path.path.size();
  result.length = length_of(path.path, path.layout, Coordinates::all);
  result.length_weights = length_of(path.path, path.layout, Coordinates::weights);
  result.below = true;
  for (std::size_t i = 0; i < result.segments.size(); ++i) {
    const SegmentCheck& check = result.segments[i];
    result.below = result.below && check.passed;
    if (i == 0 || worse(check.worst_value, result.max_metric)) {
      result.max_metric = check.worst_value;
      result.max_t =
          (static_cast<double>(i) + check.worst_t) / static_cast<double>(result.segments.size());
    }
  }
  return result;
}

}  // namespace isthmus
