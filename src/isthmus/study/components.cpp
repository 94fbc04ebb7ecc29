// SPDX-License-Identifier: MIT
#include "isthmus/study/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <mutex>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/path/path.h"
#include "isthmus/study/cell.h"
#include "isthmus/study/disk_journal.h"
#include "isthmus/study/end_point_trainer.h"
#include "isthmus/study/results.h"

namespace isthmus {
namespace {

// Keeps the random streams of these strings apart from those of studies.
constexpr std::uint64_t components_purpose = 0x636f6d706f6e656e;  // "componen"

std::size_t pair_number(std::size_t a, std::size_t b) {
  return b * (b - 1) / 2 + a;
}

std::string level_file(double threshold) {
  return fmt::format("levels/{}.json", format_number(threshold));
}

// All networks of one width.
struct WidthRun {
  StudyOptions study;
  std::unique_ptr<RunDirectory> own{};  // where there are several
  RunDirectory* run = nullptr;
  std::unique_ptr<Objective> objective{};
  std::unique_ptr<Evaluators> evaluators{};
  std::vector<std::vector<EndPoint>> points{};  // [network][threshold]
  std::vector<ComponentGraph> graphs{};         // [threshold]
  std::vector<bool> finished{};
};

class ComponentsRun {
 public:
  ComponentsRun(const ComponentsOptions& options,
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
        progress_(progress) {}

  ComponentsResult run() {
    const auto start = std::chrono::steady_clock::now();
    for (const std::size_t width : options_.widths) {
      open(width);
    }
    if (options_.widths.empty()) {
      open(std::nullopt);
    }
    tell({.kind = StudyProgress::Kind::started});
    try {
      workers_.for_each(widths_.size(), [&](std::size_t i, std::size_t) { run_width(widths_[i]); });
    } catch (const Interrupted&) {
      run_.obey(stop_);  // says how to go on
      throw;
    }
    ComponentsResult result = write_results();
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  void tell(StudyProgress event) {
    if (progress_) {
      const std::lock_guard lock(progress_mutex_);
      event.cells_done = tried_;
      event.cells_total = tried_ + to_join_;
      progress_(event);
    }
  }

  void open(std::optional<std::size_t> width) {
    WidthRun one{.study = study_of(options_, width)};
    one.run = &run_;
    if (width) {
      ComponentsOptions alone = options_;
      alone.study = one.study;
      alone.widths = {*width};
      one.own = std::make_unique<RunDirectory>(
          run_.folder() / fmt::format("width_{}", *width), run_configuration(alone), true);
      one.run = one.own.get();
    }
    make_folder(one.run->folder() / "levels");
    one.objective = make_objective(one.study, 0, data_);
    one.evaluators = std::make_unique<Evaluators>(*one.objective, workers_);
    for (const double threshold : one.study.thresholds) {
      ComponentGraph graph{.width = width_of(one.study.problem.network), .threshold = threshold};
      one.finished.push_back(read_level(*one.run, graph));
      tried_ += graph.edges.size();
      to_join_ += one.finished.back() ? 0 : options_.networks - 1;
      one.graphs.push_back(std::move(graph));
    }
    widths_.push_back(std::move(one));
  }

  // A level that was finished before with as many networks.
  bool read_level(const RunDirectory& run, ComponentGraph& graph) const {
    const std::filesystem::path file = run.folder() / level_file(graph.threshold);
    if (!std::filesystem::exists(file)) {
      return false;
    }
    const Json json = read_json(file);
    ComponentGraph there{.width = graph.width, .threshold = graph.threshold};
    try {
      for (const Json& node : json.at("networks")) {
        there.nodes.push_back(
            {.reached = node.at("reached").get<bool>(),
             .value = number_or_nan(node.at("value")),
             .gradient_samples = node.at("gradient_samples").get<std::uint64_t>()});
      }
      for (const Json& pair : json.at("pairs")) {
        there.edges.push_back({.a = pair.at("a").get<std::size_t>(),
                               .b = pair.at("b").get<std::size_t>(),
                               .distance = pair.at("distance").get<double>()});
        if (there.edges.back().a >= there.edges.back().b ||
            there.edges.back().b >= there.nodes.size()) {
          throw DataError("a pair of networks that it does not have");
        }
      }
    } catch (const std::exception& error) {
      throw damaged_piece(file, error.what());
    }
    if (there.nodes.size() != options_.networks) {
      return false;
    }
    for (ComponentEdge& edge : there.edges) {
      const std::optional<CellRecord> cell =
          run.find_cell(graph.threshold, pair_number(edge.a, edge.b));
      if (!cell) {
        return false;
      }
      edge.row = cell->row;
    }
    graph = std::move(there);
    return true;
  }

  void run_width(WidthRun& width) {
    if (std::ranges::find(width.finished, false) == width.finished.end()) {
      return;
    }
    train(width);
    workers_.for_each(width.graphs.size(), [&](std::size_t level, std::size_t) {
      if (!width.finished[level]) {
        run_level(width, level);
      }
    });
    width.points.clear();
  }

  void train(WidthRun& width) {
    const std::vector<double>& thresholds = width.study.thresholds;
    EndPointTrainer trainer(width.study, *width.run, stop_, [this](const EndPointProgress& event) {
      tell(progress_of(event));
    });
    const std::size_t group =
        width.study.endpoints_of == EndPointsOf::pair ? thresholds.size() : std::size_t{1};
    const std::size_t groups = thresholds.size() / group;
    const std::size_t pairs = (options_.networks + 1) / 2;
    width.points.assign(2 * pairs, std::vector<EndPoint>(thresholds.size()));
    workers_.for_each(pairs * groups, [&](std::size_t i, std::size_t) {
      const auto first = static_cast<std::ptrdiff_t>(i / pairs * group);
      const auto last = first + static_cast<std::ptrdiff_t>(group);
      const std::vector<double> targets(thresholds.begin() + first, thresholds.begin() + last);
      const std::vector<bool> finished(width.finished.begin() + first,
                                       width.finished.begin() + last);
      const std::size_t sides = std::min<std::size_t>(2, options_.networks - 2 * (i % pairs));
      auto ends = trainer.trained(*width.evaluators, i % pairs, targets, finished, sides);
      for (std::size_t side = 0; side < sides; ++side) {
        std::ranges::move(ends[side], width.points[2 * (i % pairs) + side].begin() + first);
      }
    });
  }

  // Makes the nodes of a level. Returns their distances (networks, networks).
  std::vector<double> place(const WidthRun& width, std::size_t level, ComponentGraph& graph) const {
    const std::size_t size = options_.networks;
    std::vector<double> distances(size * size);
    for (std::size_t a = 0; a < size; ++a) {
      const EndPoint& point = width.points[a][level];
      graph.nodes.push_back({.reached = point.reached,
                             .value = point.summary.last_metric,
                             .gradient_samples = point.summary.gradient_samples});
      for (std::size_t b = 0; b < a; ++b) {
        distances[a * size + b] =
            std::sqrt(squared_distance(point.theta, width.points[b][level].theta));
        distances[b * size + a] = distances[a * size + b];
      }
    }
    return distances;
  }

  void run_level(WidthRun& width, std::size_t level) {
    ComponentGraph& graph = width.graphs[level];
    const std::vector<double> distances = place(width, level, graph);
    const std::size_t most = options_.networks - 1;  // what to_join_ has of this level
    const std::size_t missing =
        most + 1 - std::max<std::size_t>(1, count_components(graph, Joining::connected));
    to_join_ -= missing;
    std::atomic<std::size_t> joined{0};
    for (;;) {
      const auto pairs = next_pairs(graph, distances);
      if (pairs.empty()) {
        break;
      }
      std::vector<ComponentEdge> edges(pairs.size());
      workers_.for_each(pairs.size(), [&](std::size_t i, std::size_t) {
        const auto [a, b] = pairs[i];
        edges[i] = {.a = a, .b = b, .distance = distances[a * options_.networks + b]};
        edges[i].row = join(width, level, a, b);
        const std::size_t step = edges[i].connected() ? 1 : 0;
        joined += step;
        to_join_ -= step;
        ++tried_;
        tell({.kind = StudyProgress::Kind::cell_finished,
              .pair = edges[i].row.pair,
              .threshold = graph.threshold,
              .row = edges[i].row});
      });
      graph.edges.insert(graph.edges.end(), edges.begin(), edges.end());
    }
    to_join_ -= most - missing - joined;  // every pair was tried
    const Json all = to_json(graph);
    width.run->write(level_file(graph.threshold),
                     {{"networks", all.at("networks")}, {"pairs", all.at("pairs")}});
  }

  CellRow join(WidthRun& width, std::size_t level, std::size_t a, std::size_t b) {
    run_.obey(stop_);
    const double threshold = width.study.thresholds[level];
    const std::size_t pair = pair_number(a, b);
    if (const std::optional<CellRecord> cell = width.run->find_cell(threshold, pair)) {
      return cell->row;
    }
    MethodOptions string = width.study.string;
    string.threshold = threshold;
    string.seed = width.study.seed;
    string.stream =
        stream_name({components_purpose, pair, std::bit_cast<std::uint64_t>(threshold)});
    std::unique_ptr<StringJournal> journal;
    if (is_kept_in_pieces(*width.objective)) {
      journal = width.run->journal(threshold, pair);
    }
    const EndPoint& from = width.points[a][level];
    const EndPoint& to = width.points[b][level];
    StringSummary summary = connect(
        *width.evaluators,
        from.theta,
        to.theta,
        string,
        {.journal = journal.get(), .stop = stop_, .progress = [&](const StringProgress& event) {
           tell({.kind = StudyProgress::Kind::string,
                 .pair = pair,
                 .threshold = threshold,
                 .string = event});
         }});
    GrownString grown{.pair = pair, .options = string, .a = from, .b = to};
    return keep_string(width.study, *width.evaluators, grown, std::move(summary), *width.run, stop_)
        .row;
  }

  ComponentsResult write_results() {
    ComponentsResult result;
    Json levels = Json::array();
    make_folder(run_.folder() / "graphs");
    for (WidthRun& width : widths_) {
      std::vector<CellRow> cells;
      for (ComponentGraph& graph : width.graphs) {
        result.rows.push_back(row_of(graph, width.objective->samples(Split::train)));
        levels.push_back(to_json(graph));
        const std::string name =
            fmt::format("{}{}.graphml",
                        width.own ? width.own->folder().filename().string() + "_" : "",
                        format_number(graph.threshold));
        write_file(run_.folder() / "graphs" / name, to_graphml(graph));
        for (const ComponentEdge& edge : graph.edges) {
          cells.push_back(edge.row);
        }
        result.graphs.push_back(std::move(graph));
      }
      write_file(width.run->folder() / run_files::cells, to_csv(cells));
      width.run->forget_checkpoints();
    }
    write_file(run_.folder() / "components.csv", to_csv(result.rows));
    run_.write("graph.json",
               {{"format", components_format},
                {"task", options_.study.problem.task},
                {"metric", name_of(options_.study.string.grid.metric)},
                {"levels", std::move(levels)}});
    Json manifest = manifest_of(options_.study, data_.get());
    manifest["format"] = components_format;
    run_.write(run_files::manifest, manifest);
    return result;
  }

  const ComponentsOptions& options_;
  std::shared_ptr<const Dataset> data_;
  RunDirectory& run_;
  Workers& workers_;
  const Stop* stop_;
  const std::function<void(const StudyProgress&)>& progress_;

  std::vector<WidthRun> widths_;
  std::mutex progress_mutex_;
  std::atomic<std::size_t> tried_{0};
  std::atomic<std::size_t> to_join_{0};  // pairs that would make one component of each level
};

}  // namespace

ComponentsResult run_components(const ComponentsOptions& options,
                                std::shared_ptr<const Dataset> data,
                                RunDirectory& run,
                                Workers& workers,
                                const Stop* stop,
                                const std::function<void(const StudyProgress&)>& progress) {
  options.validate();
  return ComponentsRun(options, std::move(data), run, workers, stop, progress).run();
}

}  // namespace isthmus
