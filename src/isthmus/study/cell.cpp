// SPDX-License-Identifier: MIT
#include "isthmus/study/cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "isthmus/core/files.h"
#include "isthmus/path/measures.h"
#include "isthmus/path/origins.h"
#include "isthmus/study/study.h"

namespace isthmus {
namespace {

// Studies of at most this many cells keep the metric along each path.
constexpr std::size_t profile_cells = 50;

// Between end points that miss the threshold the whole grid is looked at.
std::string proof_of(const StringSummary& summary, const GreedyOptions& string) {
  if (!std::isnan(summary.bound)) {
    return "proven";
  }
  const bool screened =
      string.check == CheckKind::screened && summary.verdict != Verdict::endpoint_not_reached;
  return fmt::format("{}:{}", screened ? "screened" : "sampled", string.grid.points);
}

// Why a string ended: what its kind has numbers for.
Json to_json(const Ending& ending) {
  using Kind = Ending::Kind;
  Json json{{"kind", name_of(ending.kind)},
            {"segments", ending.segments},
            {"open_segments", ending.open_segments},
            {"rounds", ending.rounds},
            {"steps", ending.steps}};
  switch (ending.kind) {
    case Kind::connected:
    case Kind::end_point_not_reached:
      break;
    case Kind::symmetry:
      json["factor"] = ending.factor;
      json["difference"] = ending.difference;
      break;
    case Kind::steps:
    case Kind::beads:
      json["needed"] = ending.needed;
      [[fallthrough]];
    case Kind::rounds:
      json["limit"] = ending.limit;
      break;
    case Kind::seconds:
      json["limit_seconds"] = ending.limit_seconds;
      break;
    case Kind::end_point_unproven:
      json["end_point"] = ending.bead == 0 ? "A" : "B";
      json["value"] = number_or_null(ending.value);
      break;
    case Kind::stuck_bead:
      json["bead"] = ending.bead;
      json["value"] = number_or_null(ending.value);
      json["target"] = ending.target;
      json["budget"] = ending.budget;
      break;
    case Kind::level: {
      Ending cause = ending;
      cause.kind = ending.cause;
      json["level"] = ending.level;
      json["level_followed"] = number_or_null(ending.followed);
      json["cause"] = to_json(cause);
      break;
    }
    case Kind::stagnation:
    case Kind::crowding:
      json["limit"] = ending.limit;
      json["segment"] = ending.segment;
      json["length"] = number_or_null(ending.length);
      json["length_before"] = number_or_null(ending.length_before);
      break;
  }
  return json;
}

Json details_of(const StringSummary& summary,
                const PathLength& length,
                const PathLength& weights,
                std::span<const ProfilePoint> profile,
                double other) {
  const Barrier barrier = barrier_of(profile, length.length, summary.value_a, summary.value_b);
  Json details{{"reason", sentence(summary.ending)},
               {"ending", to_json(summary.ending)},
               {"best_max_metric", number_or_null(summary.best_max_metric)},
               {"metric_a", number_or_null(summary.value_a)},
               {"metric_b", number_or_null(summary.value_b)},
               {"path_length", length.length},
               {"endpoint_distance", length.endpoint_distance},
               {"path_length_weights", weights.length},
               {"endpoint_distance_weights", weights.endpoint_distance},
               {"barrier_over_max", number_or_null(barrier.over_max)},
               {"barrier_over_mean", number_or_null(barrier.over_mean)},
               {"barrier_over_linear", number_or_null(barrier.over_linear)},
               {"max_metric_other_split", number_or_null(other)},
               {"beads_unreached", summary.beads_unreached},
               {"forward_samples_beads", summary.cost.forward_samples_beads}};
  double error = 0.0;
  for (const SegmentCheck& check : summary.segments) {
    error = std::max(error, check.error);
  }
  if (error > 0.0) {
    details["screened_error"] = error;
  }
  return details;
}

Json to_json(const Shortening& shortening) {
  return {{"shorter", shortening.shorter},
          {"length_before", number_or_null(shortening.length_before)},
          {"length_after", number_or_null(shortening.length_after)},
          {"beads_before", shortening.beads_before},
          {"beads_after", shortening.beads_after},
          {"gradient_samples", shortening.cost.gradient_samples_beads},
          {"forward_samples",
           shortening.cost.forward_samples_beads + shortening.cost.forward_samples_checks},
          {"length_estimate", shortening.estimate ? Json(shortening.estimate->ratio) : Json()}};
}

// Twins that a string joined, as it joins any two networks, are said to be twins too.
void add_symmetry(Json& details, const Twins& twins) {
  const SymmetryExtent& extent = twins.extent;
  details["symmetry"] = to_json(extent);
  details["symmetry"]["difference"] = twins.difference;
  if (twins.moved()) {
    details["reason"] = fmt::format(
        "{}; the end points are one network: {} units changed places, {} their sign, factors are "
        "up to {:.4g} (residual {:.1e})",
        details["reason"].get<std::string>(),
        extent.moved,
        extent.flipped,
        twins.factor(),
        twins.difference);
  }
}

Json to_json(std::span<const ProfilePoint> profile) {
  Json points = Json::array();
  for (const ProfilePoint& point : profile) {
    points.push_back({point.segment, point.t, point.arc_length, number_or_null(point.value)});
  }
  return points;
}

std::map<std::string, std::string> path_metadata(const StudyOptions& options,
                                                 const GrownString& grown,
                                                 Verdict verdict) {
  const Problem problem = problem_of(options, grown.pair);
  const GreedyOptions& string = grown.options;
  std::map<std::string, std::string> metadata{
      {"task", problem.task},
      {"threshold", format_number(string.threshold)},
      {"tolerance", format_number(string.tolerance)},
      {"metric", std::string(name_of(string.grid.metric))},
      {"split", std::string(name_of(string.grid.split))},
      {"points", std::to_string(string.grid.points)},
      {"include_end", string.grid.include_end ? "true" : "false"},
      {"check", std::string(name_of(string.check))},
      {"verdict", std::string(name_of(verdict))},
      {"network", to_json(problem.network).dump()},
      {"problem", to_json(problem).dump()}};
  if (options.from && !options.from->names.empty()) {
    metadata["names"] = Json(options.from->names).dump();
  }
  if (grown.alignment) {
    metadata["aligned"] = name_of(options.align);
  }
  return metadata;
}

// Their places, where those that a bead was put between are on the path as they were then.
std::vector<BeadOrigin> origins_of(const StringSummary& summary) {
  const auto place_of = [&](std::size_t number) {
    return static_cast<std::size_t>(std::ranges::find(summary.bead_numbers, number) -
                                    summary.bead_numbers.begin());
  };
  std::vector<BeadOrigin> origins;
  for (const BeadBirth& birth : summary.births) {
    BeadOrigin& origin = origins.emplace_back(BeadOrigin{.round = birth.round});
    const std::size_t left = place_of(birth.left);
    const std::size_t right = place_of(birth.right);
    const bool known = birth.round > 0 && std::max(left, right) < summary.births.size() &&
                       summary.births[left].round < birth.round &&
                       summary.births[right].round < birth.round;
    if (known) {
      origin.t = birth.t;
      origin.between = {left, right};
    }
  }
  return origins;
}

CellRow row_of(const StudyOptions& options,
               const GrownString& grown,
               const StringSummary& summary) {
  CellRow row;
  row.threshold = grown.options.threshold;
  row.pair = grown.pair;
  row.seed = options.seed;
  row.verdict = summary.verdict;
  row.max_metric = summary.max_metric;
  row.max_t = summary.max_t;
  row.beads = summary.path.size();
  row.beads_inserted = summary.beads_inserted;
  row.rounds = summary.rounds;
  row.gradient_samples_endpoints =
      grown.a.summary.gradient_samples + grown.b.summary.gradient_samples;
  row.gradient_samples_beads = summary.cost.gradient_samples_beads;
  row.forward_samples_checks = summary.cost.forward_samples_checks;
  row.proof = proof_of(summary, grown.options);
  row.bound = summary.bound;
  if (summary.verdict == Verdict::connected) {
    row.joined = summary.ending.kind == Ending::Kind::symmetry ? "symmetry"
                 : grown.repaired                              ? "repaired"
                                                               : "direct";
  }
  row.tries = grown.tries;
  row.aligned = grown.alignment ? "aligned" : "raw";
  return row;
}

// What a run keeps of one pair at one threshold.
struct Cell {
  CellRecord record;
  PathFile path;
};

Cell measure_cell(const StudyOptions& options,
                  Evaluators& evaluators,
                  const GrownString& grown,
                  StringSummary summary,
                  const Stop* stop) {
  const Layout& layout = evaluators.objective().layout();
  const PathLength length = length_of(summary.path, layout, Coordinates::all);
  const PathLength weights = length_of(summary.path, layout, Coordinates::weights);
  SegmentGrid grid = grown.options.grid;
  grid.bound = grown.options.threshold * grown.options.tolerance;
  const Split other_split = grid.split == Split::test ? Split::train : Split::test;
  const LargestValue other = largest_on(
      evaluators, summary.path, summary.segments, grid, other_split, options.other_split, stop);
  Cell cell;
  CellRow& row = cell.record.row;
  row = row_of(options, grown, summary);
  row.normalized_length = length.normalized;
  row.normalized_length_weights = weights.normalized;
  row.max_metric_train = grid.split == Split::train ? summary.max_metric : other.value;
  row.check_evaluations = static_cast<double>(row.forward_samples_checks) /
                          static_cast<double>(evaluators.objective().samples(grid.split));
  const std::vector<ProfilePoint> profile =
      profile_of(summary.path, layout, summary.segments, grid);
  Json& details = cell.record.details;
  details = details_of(summary, length, weights, profile, other.value);
  if (grown.alignment) {
    details["alignment"] = to_json(*grown.alignment);
  }
  if (grown.twins) {
    add_symmetry(details, *grown.twins);
  }
  if (!grown.start.empty()) {
    details["start"] = grown.start;
  }
  if (summary.worst.undecided) {
    details["undecided_bound"] = number_or_null(summary.max_metric);
  }
  if (grown.shortening) {
    details["shortening"] = to_json(*grown.shortening);
  }
  if (options.thresholds.size() * options.pairs <= profile_cells) {
    details["profile"] = to_json(profile);
    if (std::ranges::any_of(summary.segments, &SegmentCheck::proven)) {
      Json& bounds = details["segment_bounds"] = Json::array();
      for (const SegmentCheck& check : summary.segments) {
        bounds.push_back(number_or_null(check.bound));
      }
    }
  }
  details["forward_samples_endpoints"] =
      grown.a.summary.forward_samples + grown.b.summary.forward_samples;
  details["forward_samples_other_split"] = other.samples;
  cell.path = {.path = std::move(summary.path),
               .layout = layout,
               .metadata = path_metadata(options, grown, summary.verdict)};
  if (summary.births.size() == cell.path.path.size()) {
    cell.path.metadata["growth"] = to_text(origins_of(summary));
  }
  return cell;
}

}  // namespace

CellRecord keep_string(const StudyOptions& options,
                       Evaluators& evaluators,
                       GrownString& grown,
                       StringSummary summary,
                       RunDirectory& run,
                       const Stop* stop) {
  if (options.shorten && summary.verdict == Verdict::connected) {
    grown.shortening = shorten_grown(
        evaluators, summary, ShortenOptions(grown.options, options.shortening), {.stop = stop});
  }
  Cell cell = measure_cell(options, evaluators, grown, std::move(summary), stop);
  run.obey(stop);
  run.keep_cell(cell.record, cell.path);
  return std::move(cell.record);
}

}  // namespace isthmus
