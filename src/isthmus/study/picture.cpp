// SPDX-License-Identifier: MIT
#include "isthmus/study/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/picture_tables.h"
#include "isthmus/path/origins.h"
#include "isthmus/path/principal_axes.h"
#include "isthmus/study/curvature.h"
#include "isthmus/study/point_values.h"
#include "isthmus/study/saved_path.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view unfinished_along = ".unfinished.json";
constexpr std::string_view unfinished_curvature = ".curvature.unfinished.json";

using Segment = std::pair<std::size_t, std::size_t>;  // places of its two beads

// A path, and its objective where the data are there.
struct Subject {
  PathFile file;
  std::optional<SavedPath> saved;
  std::string note;  // why there is no objective
  const PathFile& path() const { return saved ? saved->path : file; }
};

Subject subject_of(const fs::path& file, const PictureOptions& options) {
  Subject subject;
  if (options.evaluate == Evaluate::none && options.curvature == 0) {
    subject.file = read_path(file);
    subject.note = "nothing was evaluated, as asked";
    return subject;
  }
  try {
    subject.saved = load_path(file, {}, {}, {}, options.data_folder);
  } catch (const MissingInput& error) {
    if (options.evaluate == Evaluate::all || options.curvature > 0) {
      throw;
    }
    subject.file = read_path(file);
    subject.note = fmt::format("nothing was evaluated: {}", error.what());
  }
  return subject;
}

// The segments of the string after every round, those of its end first.
std::vector<Segment> segments_of(std::size_t beads, const std::vector<BeadOrigin>& origins) {
  std::vector<Segment> segments;
  for (std::size_t i = 0; i + 1 < beads; ++i) {
    segments.emplace_back(i, i + 1);
  }
  std::set<Segment> seen(segments.begin(), segments.end());
  std::set<std::size_t> rounds;
  for (const BeadOrigin& origin : origins) {
    rounds.insert(origin.round);
  }
  for (const std::size_t round : rounds) {
    std::size_t left = 0;
    for (std::size_t i = 1; i < beads; ++i) {
      if (origins[i].round <= round) {
        if (seen.emplace(left, i).second) {
          segments.emplace_back(left, i);
        }
        left = i;
      }
    }
  }
  return segments;
}

std::vector<AxisRow> rows_of(const PrincipalAxes& axes) {
  std::vector<AxisRow> rows;
  double cumulative = 0.0;
  for (std::size_t k = 0; k < axes.variances.size(); ++k) {
    cumulative += axes.shares[k];
    rows.push_back({.axis = k + 1,
                    .variance = axes.variances[k],
                    .share = axes.shares[k],
                    .cumulative = cumulative});
  }
  return rows;
}

std::vector<BeadRow> rows_of(const PrincipalAxes& axes,
                             const Path& path,
                             const std::vector<BeadOrigin>& origins) {
  std::vector<BeadRow> rows;
  double arc_length = 0.0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (i > 0) {
      arc_length += std::sqrt(squared_distance(path.bead(i - 1), path.bead(i)));
    }
    BeadRow row{.bead = i, .arc_length = arc_length, .off = axes.off(i, 3)};
    for (std::size_t k = 0; k < 3; ++k) {
      row.at[k] = axes.at(i, k);
    }
    if (!origins.empty()) {
      row.round = origins[i].round;
      if (const auto& between = origins[i].between) {
        // A projection maps points between two beads to points between their images.
        for (std::size_t k = 0; k < 3; ++k) {
          row.start[k] = (1.0 - origins[i].t) * axes.at(between->first, k) +
                         origins[i].t * axes.at(between->second, k);
        }
      }
    }
    rows.push_back(row);
  }
  return rows;
}

// The points of all segments: the beads first, then what lies between two of them.
struct SegmentPoints {
  const Path& path;
  std::vector<Segment> segments;
  std::size_t inner;  // of a segment

  std::size_t count() const { return path.size() + segments.size() * inner; }
  double t(std::size_t k) const { return static_cast<double>(k) / static_cast<double>(inner + 1); }
  void at(std::size_t point, std::span<float> theta) const {
    if (point < path.size()) {
      std::ranges::copy(path.bead(point), theta.begin());
      return;
    }
    const auto [left, right] = segments[(point - path.size()) / inner];
    interpolate(path.bead(left), path.bead(right), t(1 + (point - path.size()) % inner), theta);
  }
  bool on_path(std::size_t point) const { return point < path.size() + path.segments() * inner; }
  // Number of the point k of segment s, 0 and inner + 1 its beads.
  std::size_t number(std::size_t s, std::size_t k) const {
    return k == 0           ? segments[s].first
           : k == inner + 1 ? segments[s].second
                            : path.size() + s * inner + k - 1;
  }
};

// What is looked at: everything on the path, or the metric of the threshold alone.
enum class Extent { nothing, level, everything };

double work_of(const SegmentPoints& points,
               const Objective& objective,
               Split split,
               std::size_t metrics,
               Extent extent) {
  const Split other = split == Split::test ? Split::train : Split::test;
  const auto level = static_cast<double>(objective.samples(split));
  const double both = level + static_cast<double>(objective.samples(other));
  const auto on_path =
      static_cast<double>(points.path.size() + points.path.segments() * points.inner);
  const auto all = static_cast<double>(points.count());
  const double samples = extent == Extent::level ? all * level
                                                 : on_path * both * static_cast<double>(metrics) +
                                                       (all - on_path) * level;
  return samples * static_cast<double>(objective.dimension());
}

std::vector<AlongRow> rows_of(const SegmentPoints& points,
                              const std::vector<double>& values,
                              std::size_t width) {
  std::vector<AlongRow> rows;
  for (std::size_t s = 0; s < points.segments.size(); ++s) {
    for (std::size_t k = 0; k < points.inner + 2; ++k) {
      const double* value = values.data() + points.number(s, k) * width;
      AlongRow row{.left = points.segments[s].first,
                   .right = points.segments[s].second,
                   .t = points.t(k),
                   .metric = value[0],
                   .metric_other = value[1]};
      if (width == 4) {
        row.companion = value[2];
        row.companion_other = value[3];
      }
      rows.push_back(row);
    }
  }
  return rows;
}

// One picture on its way.
class PictureMaker {
 public:
  PictureMaker(const Subject& subject,
               std::filesystem::path stem,
               const PictureOptions& options,
               Workers& workers,
               const Stop* stop,
               const PictureProgress& progress)
      : subject_(subject),
        stem_(std::move(stem)),
        options_(options),
        workers_(workers),
        stop_(stop),
        progress_(progress) {}

  void write_along(const std::vector<BeadOrigin>& origins, const std::string& key, Json& info) {
    if (!subject_.saved) {
      return;
    }
    const SavedPath& saved = *subject_.saved;
    const Objective& objective = *saved.objective;
    const SegmentPoints points{.path = saved.path.path,
                               .segments = segments_of(saved.path.path.size(), origins),
                               .inner = options_.points - 2};
    const Metric companion = companion_of(objective, saved.metric);
    const Split other = saved.split == Split::test ? Split::train : Split::test;
    std::vector<PointValue> values{{saved.split, saved.metric}, {other, saved.metric}};
    if (companion != saved.metric) {
      values.insert(values.end(), {{saved.split, companion}, {other, companion}});
    }
    const Extent extent = extent_of(points, values.size() / 2);
    if (extent == Extent::nothing) {
      return;
    }
    const PointSet set{
        .count = points.count(),
        .at = [&](std::size_t point, std::span<float> theta) { points.at(point, theta); },
        .wanted =
            [&](std::size_t point) {
              const bool all = extent == Extent::everything && points.on_path(point);
              return all ? values.size() : 1;
            }};
    Evaluators evaluators(objective, workers_);
    const std::vector<double> found = values_at(
        evaluators, set, values, file(unfinished_along), key, stop_, [&](std::size_t done) {
          if (progress_.along) {
            progress_.along(done, set.count);
          }
        });
    write_file(file(picture_files::along), to_csv(rows_of(points, found, values.size())));
    info["evaluated"] = extent == Extent::everything ? "all" : "level";
    if (extent == Extent::everything && companion != saved.metric) {
      info["companion"] = name_of(companion);
    }
  }

  void write_curvature(const std::string& key, Json& info) {
    if (options_.curvature == 0) {
      return;
    }
    Evaluators evaluators(*subject_.saved->objective, workers_);
    const Path& path = subject_.path().path;
    const std::vector<CurvatureRow> rows =
        curvature_along(evaluators,
                        path,
                        options_.curvature,
                        file(unfinished_curvature),
                        key,
                        stop_,
                        [&](std::size_t done) {
                          if (progress_.curvature) {
                            progress_.curvature(done, path.size());
                          }
                        });
    write_file(file(picture_files::curvature), to_csv(rows));
    info["curvature"] = options_.curvature;
  }

  // What is kept for a later process, when it is of no more use.
  void forget_unfinished() const {
    std::error_code ignored;
    fs::remove(file(unfinished_along), ignored);
    fs::remove(file(unfinished_curvature), ignored);
  }

  std::filesystem::path file(std::string_view ending) const {
    return stem_.string() + std::string(ending);
  }

 private:
  Extent extent_of(const SegmentPoints& points, std::size_t metrics) {
    const SavedPath& saved = *subject_.saved;
    if (options_.evaluate == Evaluate::none) {
      return Extent::nothing;
    }
    for (const Extent extent : {Extent::everything, Extent::level}) {
      if (options_.evaluate == Evaluate::all ||
          work_of(points, *saved.objective, saved.split, metrics, extent) <= options_.most_work) {
        return extent;
      }
    }
    return Extent::nothing;
  }

  const Subject& subject_;
  fs::path stem_;
  const PictureOptions& options_;
  Workers& workers_;
  const Stop* stop_;
  const PictureProgress& progress_;
};

std::string bytes_hash(const Path& path) {
  return sha256({reinterpret_cast<const char*>(path.beads.data()),  // NOLINT(*-reinterpret-cast)
                 path.beads.size() * sizeof(float)});
}

Json info_of(const Subject& subject, const std::vector<BeadOrigin>& origins) {
  const PathFile& path = subject.path();
  Json info{{"format", picture_format},
            {"beads", path.path.size()},
            {"parameters", path.path.dimension},
            {"rounds", Json()},
            {"evaluated", "none"},
            {"companion", Json()},
            {"note", subject.note},
            {"curvature", 0}};
  for (const char* key : {"task", "metric", "split", "threshold", "tolerance", "verdict"}) {
    const auto found = path.metadata.find(key);
    info[key] = found == path.metadata.end() ? "" : found->second;
  }
  if (!origins.empty()) {
    info["rounds"] = std::ranges::max_element(origins, {}, &BeadOrigin::round)->round;
  }
  return info;
}

}  // namespace

Json make_picture(const fs::path& file,
                  const fs::path& folder,
                  const std::string& stem,
                  const PictureOptions& options,
                  Workers& workers,
                  const Stop* stop,
                  const PictureProgress& progress) {
  if (options.points < 2) {
    throw UsageError(fmt::format("points: expected at least 2, got {}", options.points));
  }
  const Subject subject = subject_of(file, options);
  const PathFile& path = subject.path();
  PictureMaker maker(subject, folder / stem, options, workers, stop, progress);
  const std::string key = fmt::format("{} {} {} {:g} {} {}",
                                      bytes_hash(path.path),
                                      options.points,
                                      name_of(options.evaluate),
                                      options.most_work,
                                      options.curvature,
                                      subject.note);
  const fs::path info_file = maker.file(picture_files::info);
  if (fs::exists(info_file)) {
    if (Json info = read_json(info_file); info.is_object() && info.value("key", "") == key) {
      return info;
    }
  }
  make_folder(folder);
  const std::vector<BeadOrigin> origins = origins_of(path, file);
  const PrincipalAxes axes = principal_axes(path.path);
  write_file(maker.file(picture_files::axes), to_csv(rows_of(axes)));
  write_file(maker.file(picture_files::beads), to_csv(rows_of(axes, path.path, origins)));
  std::error_code ignored;
  fs::remove(maker.file(picture_files::along), ignored);
  fs::remove(maker.file(picture_files::curvature), ignored);
  Json info = info_of(subject, origins);
  maker.write_along(origins, key, info);
  maker.write_curvature(key, info);
  if (info["evaluated"] == "none" && subject.note.empty()) {
    info["note"] =
        "evaluating this path takes long, and was not asked for: `--evaluate all` does it";
  }
  info["key"] = key;
  write_json(info_file, info);  // with it, the tables are there
  maker.forget_unfinished();
  return info;
}

}  // namespace isthmus
