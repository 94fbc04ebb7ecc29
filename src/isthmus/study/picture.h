// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "isthmus/core/json_fwd.h"
#include "isthmus/core/names.h"
#include "isthmus/core/stop.h"
#include "isthmus/core/workers.h"

namespace isthmus {

/// How much a picture of a path may compute.
enum class Evaluate {
  none,       ///< nothing: what the run kept is shown
  automatic,  ///< what is cheap (PictureOptions::most_work)
  all,        ///< both splits and both metrics, whatever it takes
};

template <>
inline constexpr auto enum_names<Evaluate> = name_table<Evaluate>(
    "evaluate", {{Evaluate::none, "none"}, {Evaluate::automatic, "auto"}, {Evaluate::all, "all"}});

struct PictureOptions {
  std::size_t points = 21;  ///< of each segment, its ends among them; at least 2
  Evaluate evaluate = Evaluate::automatic;
  double most_work = 3e10;    ///< automatic: points x samples x parameters
  std::size_t curvature = 0;  ///< products of Lanczos at each bead; 0: no spectrum
  std::optional<std::filesystem::path> data_folder{};
};

/// Told of points of segments, and of beads, that are done.
struct PictureProgress {
  std::function<void(std::size_t done, std::size_t all)> along{};
  std::function<void(std::size_t done, std::size_t all)> curvature{};
};

/// Makes the tables of core/picture_tables.h of one path file, as `folder`/`stem`.axes.csv and so
/// on: its principal axes, its beads on them with the rounds that put them in, and, as far as the
/// options and the data allow, the metric along its segments and those of earlier rounds. What is
/// there already, of the same path and options, is not computed again; evaluations that were
/// interrupted go on where they stopped. Returns the content of `stem`.json. Throws as read_path,
/// and Interrupted, WriteError.
Json make_picture(const std::filesystem::path& file,
                  const std::filesystem::path& folder,
                  const std::string& stem,
                  const PictureOptions& options,
                  Workers& workers,
                  const Stop* stop,
                  const PictureProgress& progress = {});

}  // namespace isthmus
