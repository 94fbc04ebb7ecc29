// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "isthmus/core/run_schema.h"
#include "isthmus/report/published.h"
#include "isthmus/report/run.h"

namespace isthmus::testing {

/// A finished pair with plain numbers; not connected if `length` is NaN.
inline CellRow cell(double threshold, std::size_t pair, double length, std::uint64_t beads) {
  CellRow row;
  row.threshold = threshold;
  row.pair = pair;
  row.seed = 1;
  row.verdict = length == length ? Verdict::connected : Verdict::not_connected;
  row.max_metric = 0.75 * threshold;
  row.max_t = 0.5;
  row.normalized_length = length - 0.25;
  row.normalized_length_weights = length;
  row.beads = beads;
  row.beads_inserted = beads - 2;
  row.rounds = 2;
  row.gradient_samples_endpoints = 1'000'000;
  row.gradient_samples_beads = 2'500'000;
  row.forward_samples_checks = 40'000;
  row.proof = "sampled:101";
  row.check_evaluations = 40;
  row.joined = row.verdict == Verdict::connected ? "direct" : "";
  row.max_metric_train = 0.5 * threshold;
  return row;
}

inline RunRecord run_of(std::string task, std::string metric, std::vector<CellRow> cells) {
  RunRecord run;
  run.task = std::move(task);
  run.metric = std::move(metric);
  run.split = "test";
  run.protocol = "paper";
  run.cells = std::move(cells);
  sort_cells(run.cells);
  run.curve = curve_of(run.cells);
  return run;
}

/// Pairs around the published values of a task at some thresholds, all of them if none are given;
/// every `failing`th pair does not connect.
inline RunRecord run_like_published(const std::string& task,
                                    const std::string& metric,
                                    std::size_t pairs,
                                    std::size_t failing,
                                    std::vector<double> thresholds = {}) {
  const PublishedCurve published = published_curve(task, metric, "test").value();
  std::vector<CellRow> cells;
  for (std::size_t i = 0; i < published.length.size(); ++i) {
    const double threshold = published.length[i].threshold;
    bool wanted = thresholds.empty();
    for (const double other : thresholds) {
      wanted = wanted || find_point({published.length[i]}, other) != nullptr;
    }
    for (std::size_t pair = 0; wanted && pair < pairs; ++pair) {
      const double sign = pair % 2 == 0 ? 1 : -1;
      const bool fails = (pair + i) % failing == failing - 1;
      cells.push_back(cell(threshold,
                           pair,
                           fails ? no_value : published.length[i].value * (1 + 0.02 * sign),
                           static_cast<std::uint64_t>(published.beads[i].value + sign)));
    }
  }
  return run_of(task, metric, cells);
}

}  // namespace isthmus::testing
