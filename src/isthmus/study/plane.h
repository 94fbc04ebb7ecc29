// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/stop.h"
#include "isthmus/path/path.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// The affine plane through three networks: origin + x u + y v with orthonormal u, from the first
/// to the second, and v, on the side of the third. All in double.
class Plane {
 public:
  /// theta (P) each. Throws UsageError if they lie on one line, up to a millionth of their
  /// distance.
  Plane(std::span<const float> first, std::span<const float> second, std::span<const float> third);

  struct Foot {
    double x = 0.0;
    double y = 0.0;
    double off = 0.0;  ///< distance from the plane
  };
  Foot foot_of(std::span<const float> theta) const;
  /// The network at (x, y), rounded once to float; (P).
  void at(double x, double y, std::span<float> theta) const;

 private:
  std::vector<double> origin_;
  std::vector<double> u_;
  std::vector<double> v_;
};

struct PlaneOptions {
  std::size_t points = 41;  ///< of the grid along each side, at least 2
  double margin = 0.2;      ///< of the larger side around what is on it, at least 0
  Split split = Split::test;
  Metric metric = Metric::mean_absolute_error;
  double threshold = 0.0;  ///< the level that is drawn strong
  std::string title{};
  std::string names{};  ///< which networks span it
};

/// The bead of a path that lies farthest from the line between its ends; throws UsageError for a
/// path of two beads, or one that lies on that line.
std::size_t farthest_bead(const Path& path);

/// Evaluates the metric and its companion (companion_of) on a grid over the plane through three
/// networks, wide enough for these and the feet of the beads of `path` (it may be empty), and at
/// the beads themselves; writes `folder`/`stem`.plane.csv, .plane_points.csv and .plane.json
/// (core/picture_tables.h), and returns the content of the last. Goes on with what was interrupted
/// (values_at), and computes nothing that is there already. Throws UsageError, Interrupted,
/// WriteError.
Json make_plane(Evaluators& evaluators,
                const std::array<std::span<const float>, 3>& networks,
                const Path& path,
                const PlaneOptions& options,
                const std::filesystem::path& folder,
                const std::string& stem,
                const Stop* stop,
                const std::function<void(std::size_t done, std::size_t all)>& progress = {});

}  // namespace isthmus
