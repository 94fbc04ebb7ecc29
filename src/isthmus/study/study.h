// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/core/run_schema.h"
#include "isthmus/core/stop.h"
#include "isthmus/core/workers.h"
#include "isthmus/study/options.h"
#include "isthmus/study/parts.h"
#include "isthmus/study/run_directory.h"

namespace isthmus {

/// What a study tells while it goes on. Calls come one at a time, from any thread.
struct StudyProgress {
  enum class Kind {
    started,           ///< cells_done were finished before
    endpoint_step,     ///< a look at the metric while an end point trains
    endpoint_reached,  ///< an end point has reached `threshold`
    string,            ///< see `string`
    cell_finished,     ///< see `row`
  };
  Kind kind = Kind::started;
  std::size_t cells_done = 0;
  std::size_t cells_total = 0;
  std::size_t pair = 0;
  double threshold = 0.0;
  char end_point = 'A';
  TrainProgress training{};  ///< endpoint_step
  StringProgress string{};   ///< string
  CellRow row{};             ///< cell_finished
};

class EndPointCache;  // end_point_trainer.h
struct EndPointProgress;
StudyProgress progress_of(const EndPointProgress& event);

struct StudyResult {
  std::vector<CellRow> cells;  ///< thresholds descending, pairs ascending
  std::vector<CurveRow> curve;
  double seconds = 0.0;  ///< of this process
  double processor_seconds = 0.0;
  std::map<std::string, double> cell_seconds;  ///< of those computed now, by path_file_name()
};

/// Trains pairs of end points to each threshold, joins them by the method of the options, measures
/// the paths and keeps everything in `run`. Cells that `run` has already are not computed again.
/// The files do not depend on the number of workers, nor on how often the study was interrupted.
/// Throws Interrupted when `stop` is raised: the same call goes on where this one stopped.
/// `end_points`, where given, is asked for end points first, and keeps those that are trained.
/// Of a part its own cells alone are computed, and no tables are written: take_parts() puts the
/// runs of all parts together, and the same call without a part ends that run.
StudyResult run_study(const StudyOptions& options,
                      std::shared_ptr<const Dataset> data,
                      RunDirectory& run,
                      Workers& workers,
                      const Stop* stop = nullptr,
                      const std::function<void(const StudyProgress&)>& progress = nullptr,
                      EndPointCache* end_points = nullptr,
                      const StudyPart& part = {});

/// The configuration that a run of these options keeps: see RunDirectory.
Json run_configuration(const StudyOptions& options);

/// Trains one end point, as run_study would for this pair and side ('A' or 'B'). A checkpoint, if
/// one is given, belongs to these options, this pair and this side alone.
TrainJob train_end_point(const StudyOptions& options,
                         Evaluators& evaluators,
                         std::size_t pair,
                         char side,
                         std::optional<TrainCheckpoint> checkpoint = std::nullopt,
                         const Stop* stop = nullptr,
                         const std::function<void(const TrainProgress&)>& progress = nullptr);

/// The problem of one pair: as in the options, with the test set of that pair where it is drawn.
/// Ten pairs share one, as in the jobs of the published study.
Problem problem_of(const StudyOptions& options, std::size_t pair);

/// The objective of one pair. Throws UsageError if it cannot compute the metric of the options.
std::unique_ptr<Objective> make_objective(const StudyOptions& options,
                                          std::size_t pair,
                                          std::shared_ptr<const Dataset> data);

/// What a saved path turns out to be, from the file and the data alone.
struct Verification {
  Problem problem;
  SegmentGrid grid;
  double threshold = 0.0;  ///< as in the file
  double tolerance = 1.0;
  /// The last one has seen end point B too, beside its `values` where the grid has no t = 1.
  std::vector<SegmentCheck> segments;
  double value_b = 0.0;  ///< of end point B
  double max_metric = 0.0;
  double max_t = 0.0;  ///< (segment + t) / (M - 1)
  PathLength length;
  PathLength length_weights;
  std::size_t beads = 0;
  bool below = false;      ///< every point that was looked at reaches tolerance * threshold
  std::string conversion;  ///< "", or what was converted to float32
};

/// What to look at instead of what the file says.
struct VerifyOptions {
  std::optional<std::size_t> points;  ///< a grid of so many, both ends of each segment included
  std::optional<Split> split;
  std::optional<Metric> metric;
  std::optional<double> threshold;  ///< with tolerance 1
  std::optional<std::filesystem::path> data_folder;
};

/// Re-evaluates a saved path on every point of the grid that it was made with (load_path() says how
/// that is known), and end point B. Throws as read_path and load_data.
Verification verify_path(const std::filesystem::path& file,
                         const VerifyOptions& options,
                         Workers& workers,
                         const Stop* stop = nullptr);

}  // namespace isthmus
