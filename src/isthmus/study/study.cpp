// SPDX-License-Identifier: MIT
#include "isthmus/study/study.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "build_info.h"
#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/study/cell.h"
#include "isthmus/study/end_point_trainer.h"
#include "isthmus/study/results.h"
#include "isthmus/study/theory_start.h"

namespace isthmus {
namespace {

// Words that keep the random streams of different purposes apart.
constexpr std::uint64_t string_purpose = 0x737472696e67;  // "string"
constexpr std::uint64_t test_set_purpose = 0x74657374;    // "test"

constexpr std::size_t pairs_per_test_set = 10;

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

// An objective with the evaluators of all workers.
struct Bench {
  std::unique_ptr<Objective> objective;
  std::unique_ptr<Evaluators> evaluators;
};

// One run of a study.
class StudyRun {
 public:
  StudyRun(const StudyOptions& options,
           std::shared_ptr<const Dataset> data,
           RunDirectory& run,
           Workers& workers,
           const Stop* stop,
           const std::function<void(const StudyProgress&)>& progress,
           EndPointCache* end_points,
           const StudyPart& part)
      : options_(options),
        part_(part),
        data_(std::move(data)),
        run_(run),
        workers_(workers),
        stop_(stop),
        progress_(progress),
        end_points_(
            options,
            run,
            stop,
            [this](const auto& event) { tell(progress_of(event)); },
            end_points),
        cells_(options.thresholds.size() * options.pairs) {}

  StudyResult run() {
    const auto start = std::chrono::steady_clock::now();
    const double processor_start = processor_seconds();
    find_finished();
    tell({.kind = StudyProgress::Kind::started});
    try {
      run_cells();
    } catch (const Interrupted&) {
      run_.obey(stop_);  // says how to go on
      throw;
    }
    StudyResult result;
    result.cells = finished_rows();
    sort_cells(result.cells);
    result.curve = curve_of(result.cells);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result.processor_seconds = processor_seconds() - processor_start;
    if (part_.whole()) {
      write_results(result);
    } else {
      write_times(result);
    }
    result.cell_seconds = std::move(cell_seconds_);
    return result;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void run_cells() {
    if (options_.endpoints_of == EndPointsOf::pair || options_.from) {
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
    run_.obey(stop_);
    if (!part_.has(pair)) {
      return;
    }
    std::erase_if(thresholds, [&](double threshold) { return cell(threshold, pair).has_value(); });
    if (thresholds.empty()) {
      return;
    }
    Bench& bench = bench_of(pair);
    // Targets are all thresholds of the pair, finished or not, so that the end points are those of
    // an unbroken run.
    const std::vector<double> targets =
        options_.endpoints_of == EndPointsOf::pair ? options_.thresholds : thresholds;
    std::vector<bool> finished;
    finished.reserve(targets.size());
    for (const double target : targets) {
      finished.push_back(cell(target, pair).has_value());
    }
    const auto ends = end_points_.of_pair(*bench.evaluators, pair, targets, finished);
    workers_.for_each(thresholds.size(), [&](std::size_t i, std::size_t) {
      run_.obey(stop_);
      const auto target = std::ranges::find(targets, thresholds[i]) - targets.begin();
      run_cell(bench,
               pair,
               thresholds[i],
               ends[0][static_cast<std::size_t>(target)],
               ends[1][static_cast<std::size_t>(target)]);
    });
  }

  void run_cell(
      Bench& bench, std::size_t pair, double threshold, const EndPoint& a, const EndPoint& b) {
    const auto start = Clock::now();
    MethodOptions string = options_.string;
    string.threshold = threshold;
    string.restart_dead = options_.protocol == Protocol::strict;
    string.seed = options_.seed;
    string.stream = stream_name({string_purpose, pair, std::bit_cast<std::uint64_t>(threshold)});
    const bool reached = a.reached && b.reached;
    if (!reached) {
      // The numbers of the straight line between what there is.
      string.always_insert = false;
      string.tolerance = 1.0;
      string.method = Method::greedy;
    }
    std::unique_ptr<StringJournal> journal;
    if (reached && is_kept_in_pieces(*bench.objective)) {
      journal = run_.journal(threshold, pair);
    }
    GrownString grown{.pair = pair, .options = string, .a = a, .b = b};
    if (options_.align != EndAlignment::none) {
      grown.alignment =
          align(*bench.objective,
                a.theta,
                b.theta,
                {.method = named<AlignMethod>(name_of(options_.align)), .seed = options_.seed},
                stop_);
      grown.b.theta = grown.alignment->theta;
    }
    StringSummary summary = join(
        *bench.evaluators,
        grown,
        {.journal = journal.get(), .stop = stop_, .progress = [&](const StringProgress& event) {
           tell({.kind = StudyProgress::Kind::string,
                 .pair = pair,
                 .threshold = threshold,
                 .string = event});
         }});
    row_finished(keep_string(options_, *bench.evaluators, grown, std::move(summary), run_, stop_));
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    const std::lock_guard lock(result_mutex_);
    cell_seconds_[path_file_name(threshold, pair)] = elapsed.count();
  }

  // By the method, and by repair where it fails.
  StringSummary connect_pair(Evaluators& evaluators,
                             std::span<const float> a,
                             std::span<const float> b,
                             GrownString& grown,
                             const StringCallbacks& callbacks) const {
    StringCost spent;
    if (options_.start != StringStart::line) {
      StringCallbacks own = callbacks;
      const std::string name(name_of(options_.start));
      const auto journal = own.journal ? own.journal->part(name) : nullptr;
      own.journal = journal.get();
      grown.start = name;
      StringSummary along = options_.start == StringStart::theory
                                ? connect_theory(evaluators, a, b, grown, own)
                                : connect_greedy_down(evaluators, a, b, grown.options, own);
      if (along.verdict == Verdict::connected) {
        return along;
      }
      spent = along.cost;
      grown.start.clear();
    }
    RepairedString found =
        connect_repaired(evaluators, a, b, grown.options, options_.repair, callbacks);
    grown.tries = found.tries;
    grown.repaired = found.repaired;
    found.string.cost += spent;
    return std::move(found.string);
  }

  // From the path of a theorem.
  StringSummary connect_theory(Evaluators& evaluators,
                               std::span<const float> a,
                               std::span<const float> b,
                               GrownString& grown,
                               const StringCallbacks& callbacks) const {
    const TheoryStart start =
        theory_start(evaluators, grown.options.grid.split, a, b, options_.seed, stop_);
    grown.start = start.theorem;
    std::vector<std::span<const float>> beads;
    for (std::size_t place = 0; place < start.beads.size(); place += a.size()) {
      beads.push_back(std::span(start.beads).subspan(place, a.size()));
    }
    return connect_greedy_along(evaluators, beads, grown.options, callbacks);
  }

  // As a pair; where given end points are one network, its factors along their curve.
  StringSummary join(Evaluators& evaluators,
                     GrownString& grown,
                     const StringCallbacks& callbacks) const {
    const std::span<const float> a = grown.a.theta;
    const std::span<const float> b = grown.b.theta;
    if (options_.from && options_.protocol == Protocol::strict) {
      grown.twins = twins_among(evaluators.objective(), a, b);
    }
    if (!grown.twins || !grown.twins->scaled()) {
      return connect_pair(evaluators, a, b, grown, callbacks);
    }
    const Twins& twins = *grown.twins;
    const std::vector<float> unscaled = unscaled_twin(evaluators.objective(), a, twins);
    StringCallbacks own = callbacks;
    const auto journal = own.journal ? own.journal->part("twins") : nullptr;
    own.journal = journal.get();
    StringSummary along = connect_twins(evaluators, unscaled, b, twins, grown.options, own);
    if (!twins.moved() && along.verdict != Verdict::not_connected) {
      return along;
    }
    if (along.verdict == Verdict::connected) {
      along.ending.kind = Ending::Kind::connected;  // the method has its part
      return joined(connect_pair(evaluators, a, unscaled, grown, callbacks), std::move(along));
    }
    StringSummary summary = connect_pair(evaluators, a, b, grown, callbacks);
    summary.cost += along.cost;
    return summary;
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
    run_.write(run_files::manifest, manifest_of(options_, data_.get()));
    Json summary = summary_of(options_, result.cells);
    if (options_.shorten) {
      summary["shortening"] = shortening_of(cells_);
    }
    run_.write(run_files::summary, summary);
    write_times(result);
    run_.forget_checkpoints();
  }

  // Those of processes before this one that came to their end are added.
  void write_times(const StudyResult& result) {
    const std::filesystem::path file = run_.folder() / run_files::timing;
    const Json before = std::filesystem::exists(file) ? read_json(file) : Json::object();
    if (cell_seconds_.empty() && !before.empty()) {
      return;
    }
    Json seconds = before.value("cell_seconds", Json::object());
    for (const auto& [name, value] : cell_seconds_) {
      seconds[name] = value;
    }
    run_.write(
        run_files::timing,
        {{"seconds", before.value("seconds", 0.0) + result.seconds},
         {"processor_seconds", before.value("processor_seconds", 0.0) + result.processor_seconds},
         {"threads", workers_.size()},
         {"largest_memory_mb",
          std::max(before.value("largest_memory_mb", 0.0), largest_memory_mb())},
         {"cell_seconds", std::move(seconds)}});
  }

  const StudyOptions& options_;
  StudyPart part_;
  std::shared_ptr<const Dataset> data_;
  RunDirectory& run_;
  Workers& workers_;
  const Stop* stop_;
  const std::function<void(const StudyProgress&)>& progress_;
  EndPointTrainer end_points_;

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

StudyProgress progress_of(const EndPointProgress& event) {
  return {.kind = event.reached ? StudyProgress::Kind::endpoint_reached
                                : StudyProgress::Kind::endpoint_step,
          .pair = event.pair,
          .threshold = event.threshold,
          .end_point = event.side,
          .training = event.training};
}

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
  for (TrainOptions training : {options.endpoints, options.string.training}) {
    training.metric = metric;
    training.split = options.string.grid.split;
    training.validate_for(*objective);
  }
  return objective;
}

Json run_configuration(const StudyOptions& options) {
  Json config{{"format", run_format}, {"version", ISTHMUS_VERSION}};
  config.update(to_json(options));
  return config;
}

StudyResult run_study(const StudyOptions& options,
                      std::shared_ptr<const Dataset> data,
                      RunDirectory& run,
                      Workers& workers,
                      const Stop* stop,
                      const std::function<void(const StudyProgress&)>& progress,
                      EndPointCache* end_points,
                      const StudyPart& part) {
  options.validate();
  return StudyRun(options, std::move(data), run, workers, stop, progress, end_points, part).run();
}

}  // namespace isthmus
