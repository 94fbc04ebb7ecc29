// SPDX-License-Identifier: MIT
#include "isthmus/study/study.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <utility>

#include "build_info.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// Words that keep the random streams of different purposes apart.
constexpr std::uint64_t end_point_purpose = 0x656e64;     // "end"
constexpr std::uint64_t initial_purpose = 0x696e6974;     // "init"
constexpr std::uint64_t string_purpose = 0x737472696e67;  // "string"
constexpr std::uint64_t test_set_purpose = 0x74657374;    // "test"

constexpr std::size_t pairs_per_test_set = 10;
// Above this many parameters a string takes minutes: its beads and checks are kept one by one.
constexpr std::size_t journal_dimension = 10000;
// Studies of at most this many cells keep the metric along each path.
constexpr std::size_t profile_cells = 50;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double largest_memory_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

// Under the strict protocol a pair's end points are the same for all thresholds; the published
// scripts train new ones for each.
std::uint64_t threshold_word(const StudyOptions& options, double threshold) {
  return options.protocol == Protocol::strict ? 0 : std::bit_cast<std::uint64_t>(threshold);
}

TrainJob end_point_job(const StudyOptions& options,
                       const Objective& objective,
                       std::size_t pair,
                       char side,
                       std::vector<double> targets) {
  const std::uint64_t name = stream_name({end_point_purpose,
                                          pair,
                                          static_cast<std::uint64_t>(side),
                                          threshold_word(options, targets.front())});
  TrainJob job;
  job.theta.resize(objective.dimension());
  objective.initialise(options.seed, stream_name({initial_purpose, name}), job.theta);
  job.targets = std::move(targets);
  job.seed = options.seed;
  job.stream = name;
  return job;
}

TrainOptions end_point_training(const StudyOptions& options) {
  TrainOptions training = options.endpoints;
  training.metric = options.string.grid.metric;
  training.split = options.string.grid.split;
  return training;
}

// An objective with the evaluators of all workers.
struct Bench {
  std::unique_ptr<Objective> objective;
  std::unique_ptr<Evaluators> evaluators;
};

// An end point at one threshold.
struct EndPoint {
  std::vector<float> theta;
  bool reached = true;
  TrainSummary summary;
};

// One run of a study.
class StudyRun {
 public:
  StudyRun(const StudyOptions& options,
           std::shared_ptr<const Dataset> data,
           RunDirectory& run,
           Workers& workers,
           const Stop* stop,
           const std::function<void(const StudyProgress&)>& progress)
      : options_(options),
        data_(std::move(data)),
        run_(run),
        workers_(workers),
        stop_(stop),
        progress_(progress),
        cells_(options.thresholds.size() * options.pairs) {}

  StudyResult run() {
    const auto start = std::chrono::steady_clock::now();
    const double processor_start = processor_seconds();
    find_finished();
    tell({.kind = StudyProgress::Kind::started});
    try {
      run_cells();
    } catch (const Interrupted&) {
      obey_stop();  // says how to go on
      throw;
    }
    StudyResult result;
    result.cells = finished_rows();
    sort_cells(result.cells);
    result.curve = curve_of(result.cells);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result.processor_seconds = processor_seconds() - processor_start;
    write_results(result);
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void run_cells() {
    if (options_.protocol == Protocol::strict || options_.from) {
      workers_.for_each(options_.pairs, [&](std::size_t pair, std::size_t) {
        run_pair(pair, options_.thresholds);
      });
    } else {
      workers_.for_each(cells_.size(), [&](std::size_t i, std::size_t) {
        run_pair(i % options_.pairs, {options_.thresholds[i / options_.pairs]});
      });
    }
  }

  std::optional<CellRecord>& cell(double threshold, std::size_t pair) {
    const auto found = std::ranges::find(options_.thresholds, threshold);
    return cells_[static_cast<std::size_t>(found - options_.thresholds.begin()) * options_.pairs +
                  pair];
  }

  void tell(StudyProgress event) {
    if (!progress_) {
      return;
    }
    const std::lock_guard lock(progress_mutex_);
    event.cells_done = done_;
    event.cells_total = cells_.size();
    progress_(event);
  }

  void obey_stop() const {
    if (stop_ && stop_->requested()) {
      throw Interrupted(
          fmt::format("interrupted: finished work is kept in {}; repeat the command with --resume "
                      "to go on",
                      run_.folder().string()));
    }
  }

  void find_finished() {
    for (const double threshold : options_.thresholds) {
      for (std::size_t pair = 0; pair < options_.pairs; ++pair) {
        cell(threshold, pair) = run_.find_cell(threshold, pair);
        done_ += cell(threshold, pair).has_value() ? 1 : 0;
      }
    }
  }

  std::vector<CellRow> finished_rows() const {
    std::vector<CellRow> rows;
    for (const std::optional<CellRecord>& record : cells_) {
      if (record) {
        rows.push_back(record->row);
      }
    }
    return rows;
  }

  // Objectives are made when first needed: one for all pairs, or one for each drawn test set.
  Bench& bench_of(std::size_t pair) {
    const std::uint64_t test_set = problem_of(options_, pair).test_stream;
    const std::lock_guard lock(bench_mutex_);
    Bench& bench = benches_[test_set];
    if (!bench.objective) {
      bench.objective = make_objective(options_, pair, data_);
      bench.evaluators = std::make_unique<Evaluators>(*bench.objective, workers_);
    }
    return bench;
  }

  void run_pair(std::size_t pair, std::vector<double> thresholds) {
    obey_stop();
    std::erase_if(thresholds, [&](double threshold) { return cell(threshold, pair).has_value(); });
    if (thresholds.empty()) {
      return;
    }
    Bench& bench = bench_of(pair);
    // Targets are all thresholds of the pair, finished or not, so that the end points are those of
    // an unbroken run.
    const std::vector<double> targets =
        options_.protocol == Protocol::strict ? options_.thresholds : thresholds;
    const auto ends = end_points(bench, pair, targets);
    workers_.for_each(thresholds.size(), [&](std::size_t i, std::size_t) {
      obey_stop();
      const auto target = std::ranges::find(targets, thresholds[i]) - targets.begin();
      run_cell(bench,
               pair,
               thresholds[i],
               ends[0][static_cast<std::size_t>(target)],
               ends[1][static_cast<std::size_t>(target)]);
    });
  }

  static std::string end_point_name(std::size_t pair, char side, double target, bool for_all) {
    return for_all ? fmt::format("endpoint_{}{}_{}", pair, side, format_number(target))
                   : fmt::format("endpoint_{}_{}{}", format_number(target), pair, side);
  }

  // One for all thresholds of a pair, or one for each.
  static std::string end_point_state_name(std::size_t pair,
                                          char side,
                                          const std::vector<double>& targets,
                                          bool for_all) {
    return for_all ? fmt::format("{}{}", pair, side)
                   : fmt::format("{}_{}{}", format_number(targets.front()), pair, side);
  }

  // The two end points at each target: [side][target].
  std::array<std::vector<EndPoint>, 2> end_points(Bench& bench,
                                                  std::size_t pair,
                                                  const std::vector<double>& targets) {
    std::array<std::vector<EndPoint>, 2> ends;
    if (options_.from) {
      ends[0].assign(targets.size(), EndPoint{.theta = options_.from->theta, .summary = {}});
      ends[1].assign(targets.size(), EndPoint{.theta = options_.to->theta, .summary = {}});
      return ends;
    }
    const bool keep = bench.objective->dimension() >= journal_dimension;
    const bool for_all = options_.protocol == Protocol::strict;
    std::vector<TrainJob> jobs;
    std::vector<std::size_t> sides;
    for (std::size_t side = 0; side < 2; ++side) {
      const char letter = side == 0 ? 'A' : 'B';
      ends[side].resize(targets.size());
      const std::size_t known =
          keep ? find_end_points(pair, letter, targets, for_all, ends[side]) : 0;
      if (known == targets.size()) {
        continue;
      }
      TrainJob job = end_point_job(options_, *bench.objective, pair, letter, targets);
      if (keep) {
        job.checkpoint = run_.endpoint_state(end_point_state_name(pair, letter, targets, for_all));
        job.checkpoint->targets_known = known;
        job.checkpoint->keep_last = for_all;
      }
      job.on_target = [this, pair, letter, keep, for_all, &points = ends[side]](
                          std::size_t index, const Snapshot& snapshot) {
        points[index] = {.theta = snapshot.theta, .reached = true, .summary = snapshot.summary};
        if (keep) {
          run_.keep_endpoint(end_point_name(pair, letter, snapshot.target, for_all), snapshot);
        }
        tell({.kind = StudyProgress::Kind::endpoint_reached,
              .pair = pair,
              .threshold = snapshot.target,
              .end_point = letter});
      };
      jobs.push_back(std::move(job));
      sides.push_back(side);
    }
    train(*bench.evaluators,
          jobs,
          end_point_training(options_),
          stop_,
          [&](const TrainProgress& training) {
            tell({.kind = StudyProgress::Kind::endpoint_step,
                  .pair = pair,
                  .threshold = training.target,
                  .end_point = sides[training.job] == 0 ? 'A' : 'B',
                  .training = training});
          });
    obey_stop();
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      for (EndPoint& point : ends[sides[i]]) {
        if (point.theta.empty()) {
          point = {.theta = jobs[i].theta, .reached = false, .summary = jobs[i].summary};
        }
      }
    }
    return ends;
  }

  // Reads the snapshots that are there. Returns how many targets, from the first on, need no
  // training any more: their snapshot is there, or their cell is finished.
  std::size_t find_end_points(std::size_t pair,
                              char letter,
                              const std::vector<double>& targets,
                              bool for_all,
                              std::vector<EndPoint>& points) {
    std::size_t known = 0;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const bool finished = cell(targets[i], pair).has_value();
      std::optional<Snapshot> snapshot;
      if (!finished) {
        snapshot = run_.find_endpoint(end_point_name(pair, letter, targets[i], for_all));
      }
      if (snapshot) {
        points[i] = {
            .theta = std::move(snapshot->theta), .reached = true, .summary = snapshot->summary};
      }
      known += known == i && (finished || snapshot) ? 1 : 0;
    }
    return known;
  }

  void run_cell(
      Bench& bench, std::size_t pair, double threshold, const EndPoint& a, const EndPoint& b) {
    const auto start = Clock::now();
    GreedyOptions string = options_.string;
    string.threshold = threshold;
    string.seed = options_.seed;
    string.stream = stream_name({string_purpose, pair, std::bit_cast<std::uint64_t>(threshold)});
    const bool reached = a.reached && b.reached;
    if (!reached) {
      // The numbers of the straight line between what there is.
      string.always_insert = false;
      string.tolerance = 1.0;
    }
    std::unique_ptr<StringJournal> journal;
    if (reached && bench.objective->dimension() >= journal_dimension) {
      journal = run_.journal(threshold, pair);
    }
    StringSummary summary = connect_greedy(
        *bench.evaluators,
        a.theta,
        b.theta,
        string,
        {.journal = journal.get(), .stop = stop_, .progress = [&](const StringProgress& event) {
           tell({.kind = StudyProgress::Kind::string,
                 .pair = pair,
                 .threshold = threshold,
                 .string = event});
         }});
    finish_cell(bench, pair, string, a, b, std::move(summary));
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    const std::lock_guard lock(result_mutex_);
    cell_seconds_[path_file_name(threshold, pair)] = elapsed.count();
  }

  // Between end points that miss the threshold the whole grid is looked at.
  static std::string proof_of(const StringSummary& summary, const GreedyOptions& string) {
    if (!std::isnan(summary.bound)) {
      return "proven";
    }
    const bool screened =
        string.check == CheckKind::screened && summary.verdict != Verdict::endpoint_not_reached;
    return fmt::format("{}:{}", screened ? "screened" : "sampled", string.grid.points);
  }

  void finish_cell(Bench& bench,
                   std::size_t pair,
                   const GreedyOptions& string,
                   const EndPoint& a,
                   const EndPoint& b,
                   StringSummary summary) {
    const Layout& layout = bench.objective->layout();
    const PathLength length = length_of(summary.path, layout, Coordinates::all);
    const PathLength weights = length_of(summary.path, layout, Coordinates::weights);
    SegmentGrid grid = string.grid;
    grid.bound = string.threshold * string.tolerance;
    const Split other_split = grid.split == Split::test ? Split::train : Split::test;
    const LargestValue largest = largest_on(*bench.evaluators,
                                            summary.path,
                                            summary.segments,
                                            grid,
                                            other_split,
                                            options_.other_split,
                                            stop_);
    const double other = largest.value;
    CellRecord record;
    CellRow& row = record.row;
    row.threshold = string.threshold;
    row.pair = pair;
    row.seed = options_.seed;
    row.verdict = summary.verdict;
    row.max_metric = summary.max_metric;
    row.max_t = summary.max_t;
    row.normalized_length = length.normalized;
    row.normalized_length_weights = weights.normalized;
    row.beads = summary.path.size();
    row.beads_inserted = summary.beads_inserted;
    row.rounds = summary.rounds;
    row.gradient_samples_endpoints = a.summary.gradient_samples + b.summary.gradient_samples;
    row.gradient_samples_beads = summary.cost.gradient_samples_beads;
    row.forward_samples_checks = summary.cost.forward_samples_checks;
    row.max_metric_train = grid.split == Split::train ? summary.max_metric : other;
    row.proof = proof_of(summary, string);
    row.bound = summary.bound;
    row.check_evaluations = static_cast<double>(row.forward_samples_checks) /
                            static_cast<double>(bench.objective->samples(grid.split));
    const std::vector<ProfilePoint> profile =
        profile_of(summary.path, layout, summary.segments, grid);
    record.details = details_of(summary, length, weights, profile, other);
    record.details["forward_samples_endpoints"] =
        a.summary.forward_samples + b.summary.forward_samples;
    record.details["forward_samples_other_split"] = largest.samples;

    PathFile file{.path = std::move(summary.path),
                  .layout = layout,
                  .metadata = path_metadata(pair, string, summary.verdict)};
    obey_stop();
    run_.keep_cell(record, file);
    row_finished(record);
  }

  Json details_of(const StringSummary& summary,
                  const PathLength& length,
                  const PathLength& weights,
                  const std::vector<ProfilePoint>& profile,
                  double other) const {
    const Barrier barrier = barrier_of(profile, length.length, summary.value_a, summary.value_b);
    const auto finite = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
    Json details{{"reason", sentence(summary.ending)},
                 {"metric_a", finite(summary.value_a)},
                 {"metric_b", finite(summary.value_b)},
                 {"path_length", length.length},
                 {"endpoint_distance", length.endpoint_distance},
                 {"path_length_weights", weights.length},
                 {"endpoint_distance_weights", weights.endpoint_distance},
                 {"barrier_over_max", finite(barrier.over_max)},
                 {"barrier_over_mean", finite(barrier.over_mean)},
                 {"barrier_over_linear", finite(barrier.over_linear)},
                 {"max_metric_other_split", finite(other)},
                 {"beads_unreached", summary.beads_unreached},
                 {"forward_samples_beads", summary.cost.forward_samples_beads}};
    if (cells_.size() <= profile_cells) {
      Json points = Json::array();
      for (const ProfilePoint& point : profile) {
        points.push_back({point.segment, point.t, point.arc_length, finite(point.value)});
      }
      details["profile"] = std::move(points);
    }
    return details;
  }

  std::map<std::string, std::string> path_metadata(std::size_t pair,
                                                   const GreedyOptions& string,
                                                   Verdict verdict) const {
    const Problem problem = problem_of(options_, pair);
    return {{"task", problem.task},
            {"threshold", format_number(string.threshold)},
            {"tolerance", format_number(string.tolerance)},
            {"metric", std::string(name_of(string.grid.metric))},
            {"split", std::string(name_of(string.grid.split))},
            {"points", std::to_string(string.grid.points)},
            {"check", std::string(name_of(string.check))},
            {"verdict", std::string(name_of(verdict))},
            {"network", to_json(problem.network).dump()},
            {"problem", to_json(problem).dump()}};
  }

  void row_finished(const CellRecord& record) {
    {
      const std::lock_guard lock(result_mutex_);
      cell(record.row.threshold, record.row.pair) = record;
      ++done_;
      // A running table for `report`, at most every few seconds.
      if (Clock::now() - last_tables_ > std::chrono::seconds(5)) {
        run_.write_tables(finished_rows());
        last_tables_ = Clock::now();
      }
    }
    tell({.kind = StudyProgress::Kind::cell_finished,
          .pair = record.row.pair,
          .threshold = record.row.threshold,
          .row = record.row});
  }

  void write_results(const StudyResult& result) {
    run_.write_tables(result.cells);
    run_.write(run_files::manifest, manifest());
    run_.write(run_files::summary, summary_of(result));
    Json seconds = Json::object();
    for (const auto& [name, value] : cell_seconds_) {
      seconds[name] = value;
    }
    run_.write(run_files::timing,
               {{"seconds", result.seconds},
                {"processor_seconds", result.processor_seconds},
                {"threads", workers_.size()},
                {"largest_memory_mb", largest_memory_mb()},
                {"cell_seconds", std::move(seconds)}});
    run_.forget_checkpoints();
  }

  Json manifest() const {
    Json sources = Json::array();
    if (data_) {
      for (const SourceFile& source : data_->sources) {
        sources.push_back({{"name", source.name}, {"sha256", source.sha256}});
      }
    }
    return {{"format", run_format},
            {"version", ISTHMUS_VERSION},
            {"commit", ISTHMUS_COMMIT},
            {"compiler", __VERSION__},
            {"build_flags", ISTHMUS_BUILD_FLAGS},
            {"seed", options_.seed},
            {"data", {{"name", options_.problem.data}, {"files", std::move(sources)}}}};
  }

  // Under the strict protocol a pair's end points train on from threshold to threshold, and its
  // rows count from the start: the largest is what they cost.
  std::uint64_t endpoint_cost(const std::vector<CellRow>& cells) const {
    std::vector<std::uint64_t> of_pair(options_.pairs);
    for (const CellRow& row : cells) {
      std::uint64_t& cost = of_pair[row.pair];
      cost = options_.protocol == Protocol::strict ? std::max(cost, row.gradient_samples_endpoints)
                                                   : cost + row.gradient_samples_endpoints;
    }
    return std::accumulate(of_pair.begin(), of_pair.end(), std::uint64_t{0});
  }

  Json summary_of(const StudyResult& result) const {
    Json verdicts = Json::object();
    for (const Verdict verdict :
         {Verdict::connected, Verdict::not_connected, Verdict::endpoint_not_reached}) {
      verdicts[std::string(name_of(verdict))] = std::ranges::count_if(
          result.cells, [&](const CellRow& row) { return row.verdict == verdict; });
    }
    std::uint64_t beads = 0;
    std::uint64_t checks = 0;
    for (const CellRow& row : result.cells) {
      beads += row.gradient_samples_beads;
      checks += row.forward_samples_checks;
    }
    return {{"format", run_format},
            {"task", options_.problem.task},
            {"protocol", name_of(options_.protocol)},
            {"metric", name_of(options_.string.grid.metric)},
            {"split", name_of(options_.string.grid.split)},
            {"cells", result.cells.size()},
            {"verdicts", std::move(verdicts)},
            {"gradient_samples_endpoints", endpoint_cost(result.cells)},
            {"gradient_samples_beads", beads},
            {"forward_samples_checks", checks}};
  }

  const StudyOptions& options_;
  std::shared_ptr<const Dataset> data_;
  RunDirectory& run_;
  Workers& workers_;
  const Stop* stop_;
  const std::function<void(const StudyProgress&)>& progress_;

  std::mutex progress_mutex_;
  std::mutex bench_mutex_;
  std::map<std::uint64_t, Bench> benches_;

  std::mutex result_mutex_;
  std::vector<std::optional<CellRecord>> cells_;  // [threshold][pair]
  std::atomic<std::size_t> done_{0};
  std::map<std::string, double> cell_seconds_;
  Clock::time_point last_tables_ = Clock::now();
};

}  // namespace

Problem problem_of(const StudyOptions& options, std::size_t pair) {
  Problem problem = options.problem;
  if (problem.has_risk() && problem.risk == Risk::empirical) {
    problem.test_seed = options.seed;
    problem.test_stream = stream_name({test_set_purpose, pair / pairs_per_test_set});
  }
  return problem;
}

std::unique_ptr<Objective> make_objective(const StudyOptions& options,
                                          std::size_t pair,
                                          std::shared_ptr<const Dataset> data) {
  auto objective = make_objective(problem_of(options, pair), std::move(data));
  const Metric metric = options.string.grid.metric;
  if (!objective->supports(metric)) {
    throw UsageError(fmt::format(
        "metric: {} cannot be computed for the task {}", name_of(metric), options.problem.task));
  }
  return objective;
}

Json run_configuration(const StudyOptions& options) {
  Json config{{"format", run_format}, {"version", ISTHMUS_VERSION}};
  config.update(to_json(options));
  return config;
}

TrainJob train_end_point(const StudyOptions& options,
                         Evaluators& evaluators,
                         std::size_t pair,
                         char side,
                         std::optional<TrainCheckpoint> checkpoint,
                         const Stop* stop,
                         const std::function<void(const TrainProgress&)>& progress) {
  TrainJob job = end_point_job(options, evaluators.objective(), pair, side, options.thresholds);
  job.checkpoint = std::move(checkpoint);
  train(evaluators, {&job, 1}, end_point_training(options), stop, progress);
  return job;
}

StudyResult run_study(const StudyOptions& options,
                      std::shared_ptr<const Dataset> data,
                      RunDirectory& run,
                      Workers& workers,
                      const Stop* stop,
                      const std::function<void(const StudyProgress&)>& progress) {
  options.validate();
  return StudyRun(options, std::move(data), run, workers, stop, progress).run();
}

}  // namespace isthmus
