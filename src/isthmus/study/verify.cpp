// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/objective/penalty.h"
#include "isthmus/study/certificate.h"
#include "isthmus/study/saved_path.h"
#include "isthmus/study/study.h"

namespace isthmus {
namespace {

// A grid without the end of a segment leaves the end of the path out.
double look_at_end(Evaluators& evaluators,
                   const Path& path,
                   const SegmentGrid& grid,
                   SegmentCheck& last) {
  if (grid.include_end) {
    return last.values.back();
  }
  double value = 0.0;
  evaluators.of(0).metrics(grid.split, grid.metric, path.bead(path.size() - 1), {&value, 1});
  last.samples += evaluators.objective().samples(grid.split);
  last.passed = last.passed && reaches(value, grid.bound, grid.comparison);
  if (worse(value, last.worst_value)) {
    last.worst_value = value;
    last.worst_t = 1.0;
  }
  return value;
}

}  // namespace

Verification verify_path(const std::filesystem::path& file,
                         const VerifyOptions& options,
                         Workers& workers,
                         const Stop* stop) {
  SavedPath loaded =
      load_path(file, options.split, options.metric, options.threshold, options.data_folder);
  const PathFile& path = loaded.path;
  Verification result;
  result.conversion = path.conversion;
  result.problem = std::move(loaded.problem);
  result.threshold = loaded.threshold;
  result.tolerance = loaded.tolerance;
  result.grid.points = options.points.value_or(loaded.points);
  result.grid.include_end = options.points || loaded.include_end;
  result.grid.split = loaded.split;
  result.grid.metric = loaded.metric;
  result.grid.bound = result.threshold * result.tolerance;
  result.grid.stop_at_failure = false;
  Evaluators evaluators(*loaded.objective, workers);
  result.segments = check_path(evaluators, path.path, result.grid, stop);
  result.value_b = look_at_end(evaluators, path.path, result.grid, result.segments.back());
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

Certificate certify_path(const std::filesystem::path& file,
                         const CertificateOptions& options,
                         Workers& workers,
                         const Stop* stop) {
  SavedPath loaded =
      load_path(file, options.split, options.metric, options.threshold, options.data_folder);
  Certificate result;
  result.conversion = loaded.path.conversion;
  result.problem = std::move(loaded.problem);
  result.path_sha256 = sha256(read_file(file));
  result.metric = loaded.metric;
  result.split = loaded.split;
  if (includes_penalty(loaded.metric)) {
    result.penalty = result.problem.penalty;
  }
  result.threshold = loaded.threshold * loaded.tolerance;
  result.gap = options.gap;
  const Certifier certifier(*loaded.objective, loaded.split, loaded.metric);
  const CertifyOptions certify{
      .threshold = options.gap ? std::numeric_limits<double>::infinity() : result.threshold,
      .gap = options.gap,
      .max_evaluations = options.max_evaluations};
  const Path& path = loaded.path.path;
  result.segments.resize(path.segments());
  workers.for_each(path.segments(), [&](std::size_t i, std::size_t) {
    result.segments[i] = certifier.certify(path.bead(i), path.bead(i + 1), certify, workers, stop);
  });
  result.proven = true;
  result.bound = -std::numeric_limits<double>::infinity();
  result.largest_seen = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < result.segments.size(); ++i) {
    const SegmentProof& proof = result.segments[i];
    result.proven = result.proven && proof.outcome == SegmentProof::Outcome::proven;
    result.bound = worse(proof.bound, result.bound) ? proof.bound : result.bound;
    result.evaluations += proof.evaluations;
    if (worse(proof.largest_seen, result.largest_seen)) {
      result.largest_seen = proof.largest_seen;
      result.segment = i;
      result.t = proof.t;
    }
  }
  return result;
}

Json to_json(const Certificate& certificate) {
  Json segments = Json::array();
  for (std::size_t i = 0; i < certificate.segments.size(); ++i) {
    const SegmentProof& proof = certificate.segments[i];
    Json intervals = Json::array();
    for (const IntervalBound& interval : proof.intervals) {
      intervals.push_back({{"t0", interval.t0}, {"t1", interval.t1}, {"bound", interval.bound}});
    }
    segments.push_back({{"index", i},
                        {"outcome", name_of(proof.outcome)},
                        {"bound", proof.bound},
                        {"largest_seen", proof.largest_seen},
                        {"t", proof.t},
                        {"evaluations", proof.evaluations},
                        {"intervals", std::move(intervals)}});
  }
  return {
      {"format", certificate_format},
      {"path_sha256", certificate.path_sha256},
      {"task", certificate.problem.task},
      {"metric", name_of(certificate.metric)},
      {"split", name_of(certificate.split)},
      {"penalty", certificate.penalty.any() ? Json(text_of(certificate.penalty)) : Json(nullptr)},
      {"threshold", certificate.threshold},
      {"gap", certificate.gap ? Json(*certificate.gap) : Json(nullptr)},
      {"proven", certificate.proven},
      {"bound", certificate.bound},
      {"largest_seen", certificate.largest_seen},
      {"largest_seen_segment", certificate.segment},
      {"largest_seen_t", certificate.t},
      {"evaluations", certificate.evaluations},
      {"segments", std::move(segments)}};
}

}  // namespace isthmus
