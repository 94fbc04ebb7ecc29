// SPDX-License-Identifier: MIT
#include "isthmus/study/plane.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"
#include "isthmus/core/picture_tables.h"
#include "isthmus/study/point_values.h"

namespace isthmus {
namespace {

constexpr std::string_view unfinished = ".plane.unfinished.json";

namespace fs = std::filesystem;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<double> difference(std::span<const float> to, std::span<const float> from) {
  std::vector<double> result(to.size());
  for (std::size_t i = 0; i < to.size(); ++i) {
    result[i] = static_cast<double>(to[i]) - from[i];
  }
  return result;
}

void add(std::vector<double>& to, double factor, const std::vector<double>& what) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] += factor * what[i];
  }
}

void scale(std::vector<double>& vector, double factor) {
  for (double& value : vector) {
    value *= factor;
  }
}

std::string hash_of(std::span<const float> theta) {
  return sha256({reinterpret_cast<const char*>(theta.data()),  // NOLINT(*-reinterpret-cast)
                 theta.size_bytes()});
}

struct Side {
  double low = 0.0;
  double high = 0.0;
  double at(std::size_t i, std::size_t points) const {
    return low + (high - low) * static_cast<double>(i) / static_cast<double>(points - 1);
  }
};

// Both sides of the grid: what is on the plane, with air around it.
std::array<Side, 2> sides_of(const std::vector<PlanePointRow>& feet, double margin) {
  std::array<Side, 2> sides{Side{feet[0].x, feet[0].x}, Side{feet[0].y, feet[0].y}};
  for (const PlanePointRow& foot : feet) {
    sides[0] = {std::min(sides[0].low, foot.x), std::max(sides[0].high, foot.x)};
    sides[1] = {std::min(sides[1].low, foot.y), std::max(sides[1].high, foot.y)};
  }
  const double air = margin * std::max(sides[0].high - sides[0].low, sides[1].high - sides[1].low);
  for (Side& side : sides) {
    side.low -= air;
    side.high += air;
  }
  return sides;
}

std::vector<PlanePointRow> feet_of(const Plane& plane,
                                   const std::array<std::span<const float>, 3>& networks,
                                   const Path& path) {
  std::vector<PlanePointRow> rows;
  const auto add_foot = [&](std::string name, std::span<const float> theta) {
    const Plane::Foot foot = plane.foot_of(theta);
    rows.push_back({.name = std::move(name), .x = foot.x, .y = foot.y, .off = foot.off});
  };
  for (std::size_t i = 0; i < 3; ++i) {
    add_foot(std::to_string(i + 1), networks[i]);
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    add_foot(fmt::format("bead {}", i), path.bead(i));
  }
  return rows;
}

// The grid row by row, then the networks and the beads themselves.
struct PlanePoints {
  const Plane& plane;
  const std::array<std::span<const float>, 3>& networks;
  const Path& path;
  std::size_t points;
  std::array<Side, 2> sides;

  std::size_t grid() const { return points * points; }
  std::size_t count() const { return grid() + 3 + path.size(); }
  void at(std::size_t point, std::span<float> theta) const {
    if (point < grid()) {
      plane.at(sides[0].at(point % points, points), sides[1].at(point / points, points), theta);
      return;
    }
    point -= grid();
    std::ranges::copy(point < 3 ? networks[point] : path.bead(point - 3), theta.begin());
  }
};

std::string key_of(const std::array<std::span<const float>, 3>& networks,
                   const Path& path,
                   const PlaneOptions& options) {
  std::string key = fmt::format("{} {} {} {} {}",
                                options.points,
                                options.margin,
                                name_of(options.split),
                                name_of(options.metric),
                                format_number(options.threshold));
  for (const std::span<const float> network : networks) {
    key += " " + hash_of(network);
  }
  return key + " " + hash_of(path.beads);
}

std::vector<PlaneRow> rows_of(const PlanePoints& points,
                              const std::vector<double>& found,
                              std::size_t width) {
  std::vector<PlaneRow> rows;
  for (std::size_t k = 0; k < points.grid(); ++k) {
    const std::size_t i = k % points.points;
    const std::size_t j = k / points.points;
    rows.push_back({.i = i,
                    .j = j,
                    .x = points.sides[0].at(i, points.points),
                    .y = points.sides[1].at(j, points.points),
                    .metric = found[k * width],
                    .companion = width > 1 ? found[k * width + 1] : no_value});
  }
  return rows;
}

}  // namespace

Plane::Plane(std::span<const float> first,
             std::span<const float> second,
             std::span<const float> third)
    : origin_(first.begin(), first.end()),
      u_(difference(second, first)),
      v_(difference(third, first)) {
  const double along = std::sqrt(dot(u_, u_));
  const double to_third = std::sqrt(dot(v_, v_));
  if (along > 0.0) {
    scale(u_, 1.0 / along);
    for (int pass = 0; pass < 2; ++pass) {
      add(v_, -dot(u_, v_), u_);
    }
  }
  const double across = std::sqrt(dot(v_, v_));
  if (along == 0.0 || across <= 1e-6 * std::max(along, to_third)) {
    throw UsageError(
        "plane: the three networks lie on one line, so that there is no plane through them (or "
        "there are many). Name another network, or another --bead");
  }
  scale(v_, 1.0 / across);
}

Plane::Foot Plane::foot_of(std::span<const float> theta) const {
  std::vector<double> rest(theta.size());
  for (std::size_t i = 0; i < theta.size(); ++i) {
    rest[i] = theta[i] - origin_[i];
  }
  Foot foot{.x = dot(rest, u_), .y = dot(rest, v_)};
  add(rest, -foot.x, u_);
  add(rest, -foot.y, v_);
  foot.off = std::sqrt(dot(rest, rest));
  return foot;
}

void Plane::at(double x, double y, std::span<float> theta) const {
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] = static_cast<float>(origin_[i] + x * u_[i] + y * v_[i]);
  }
}

std::size_t farthest_bead(const Path& path) {
  std::size_t farthest = 0;
  double largest = 0.0;
  const std::vector<double> line = difference(path.bead(path.size() - 1), path.bead(0));
  const double squares = dot(line, line);
  for (std::size_t i = 1; i + 1 < path.size(); ++i) {
    std::vector<double> off = difference(path.bead(i), path.bead(0));
    if (squares > 0.0) {
      add(off, -dot(off, line) / squares, line);
    }
    if (const double distance = dot(off, off); distance > largest) {
      largest = distance;
      farthest = i;
    }
  }
  if (largest <= 1e-12 * squares) {
    throw UsageError(
        path.size() == 2
            ? "plane: the path has two beads, a straight line: there is no third network to span a "
              "plane. Name three files instead"
            : "plane: every bead of the path lies on the line between its ends: there is no plane "
              "through them");
  }
  return farthest;
}

Json make_plane(Evaluators& evaluators,
                const std::array<std::span<const float>, 3>& networks,
                const Path& path,
                const PlaneOptions& options,
                const fs::path& folder,
                const std::string& stem,
                const Stop* stop,
                const std::function<void(std::size_t, std::size_t)>& progress) {
  if (options.points < 2 || !(options.margin >= 0.0)) {
    throw UsageError(
        fmt::format("plane: expected at least 2 points a side and a margin >= 0, got {} and {}",
                    options.points,
                    options.margin));
  }
  const fs::path base = folder / stem;
  const auto file = [&](std::string_view ending) {
    return fs::path(base.string() + std::string(ending));
  };
  const std::string key = key_of(networks, path, options);
  if (fs::exists(file(picture_files::plane_info))) {
    Json there = read_json(file(picture_files::plane_info));
    if (there.is_object() && there.value("key", "") == key) {
      return there;
    }
  }
  const Plane plane(networks[0], networks[1], networks[2]);
  std::vector<PlanePointRow> feet = feet_of(plane, networks, path);
  const PlanePoints points{.plane = plane,
                           .networks = networks,
                           .path = path,
                           .points = options.points,
                           .sides = sides_of(feet, options.margin)};
  const Metric companion = companion_of(evaluators.objective(), options.metric);
  std::vector<PointValue> values{{options.split, options.metric}};
  if (companion != options.metric) {
    values.push_back({options.split, companion});
  }
  make_folder(folder);
  const PointSet set{
      .count = points.count(),
      .at = [&](std::size_t point, std::span<float> theta) { points.at(point, theta); },
      .wanted = [&](std::size_t) { return values.size(); }};
  const std::vector<double> found =
      values_at(evaluators, set, values, file(unfinished), key, stop, [&](std::size_t done) {
        if (progress) {
          progress(done, set.count);
        }
      });
  for (std::size_t i = 0; i < feet.size(); ++i) {
    feet[i].metric = found[(points.grid() + i) * values.size()];
  }
  write_file(file(picture_files::plane), to_csv(rows_of(points, found, values.size())));
  write_file(file(picture_files::plane_points), to_csv(feet));
  Json info{{"format", plane_format},
            {"title", options.title},
            {"networks", options.names},
            {"points", options.points},
            {"margin", options.margin},
            {"metric", name_of(options.metric)},
            {"split", name_of(options.split)},
            {"companion", companion != options.metric ? Json(name_of(companion)) : Json()},
            {"threshold", options.threshold},
            {"key", key}};
  write_json(file(picture_files::plane_info), info);  // with it, the tables are there
  std::error_code ignored;
  fs::remove(file(unfinished), ignored);
  return info;
}

}  // namespace isthmus
