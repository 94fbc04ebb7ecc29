// SPDX-License-Identifier: MIT
#include "isthmus/report/comparison.h"

#include <cmath>

#include "isthmus/report/published.h"

namespace isthmus {
namespace {

ComparedValue compare(double ours, double error, const PublishedPoint* point) {
  ComparedValue value{.ours = ours, .error = error};
  if (point != nullptr) {
    value.published = point->value;
    value.half_width = point->half_width;
    value.published_error = point->standard_error;
    const double spread = std::hypot(error, point->standard_error);
    // Two means without spread (three beads always) have no scale to be compared on.
    value.z = spread > 0 ? (ours - point->value) / spread : no_value;
  }
  return value;
}

bool is_polynomial(const RunRecord& run) {
  return run.task == "quadratic" || run.task == "cubic";
}

}  // namespace

std::vector<ComparedThreshold> compare_with_published(const RunRecord& run) {
  const std::optional<PublishedCurve> published = published_curve(run.task, run.metric, run.split);
  std::vector<ComparedThreshold> compared;
  if (!published) {
    return compared;
  }
  for (const CurveRow& row : run.curve) {
    const PublishedPoint* length = find_point(published->length, row.threshold);
    const PublishedPoint* beads = find_point(published->beads, row.threshold);
    if (length != nullptr || beads != nullptr) {
      compared.push_back(
          {.threshold = row.threshold,
           .pairs = row.pairs,
           .connected = row.connected,
           .length = compare(row.length_weights_mean, row.length_weights_sem, length),
           .beads = compare(row.beads_mean, row.beads_sem, beads)});
    }
  }
  return compared;
}

std::vector<std::string> comparison_notes(const RunRecord& run) {
  if (compare_with_published(run).empty()) {
    return {};
  }
  std::vector<std::string> notes;
  notes.emplace_back(
      is_polynomial(run)
          ? "s.e. published = half of the printed bar / sqrt(10): the bar fits the error of one "
            "job "
            "of ten pairs, the mean that of about ten jobs. It leaves out the scatter between the "
            "jobs' test sets, so that z is rather too large."
          : "s.e. published = half of the printed bar.");
  notes.emplace_back(
      "Both means are over connected pairs; the published ones do not say how many those are.");
  if (run.protocol != "paper") {
    notes.emplace_back(
        "The published points follow other rules (--protocol paper); z measures those too.");
  }
  if (!run.align.empty()) {
    notes.emplace_back("The published points join networks as they are, not aligned ones.");
  }
  if (!run.penalty.empty()) {
    notes.emplace_back("The published points are without a penalty; z measures it too.");
  }
  return notes;
}

}  // namespace isthmus
