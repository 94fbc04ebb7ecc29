// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "isthmus/core/stop.h"
#include "isthmus/report/page_cell.h"
#include "isthmus/study/picture.h"

namespace isthmus::app {

/// Tells on standard error how far work has come, where it takes longer than a moment; `things` are
/// what is counted. The first call says how much of it was there before.
std::function<void(std::size_t done, std::size_t all)> point_progress(
    std::string what, std::string things = "points");

/// Which string of a run a page shows, and how.
struct PageRequest {
  std::optional<double> threshold;
  std::optional<std::size_t> pair;
  PictureOptions picture;
  std::size_t threads = 0;
  std::optional<std::filesystem::path> animation;
};

/// Makes the tables and figures of the chosen string, and RUN/report.html. Returns the first lines
/// of the page. Throws as make_picture; a path that cannot be read is said on the page.
std::string write_page(const std::filesystem::path& folder,
                       const PageRequest& request,
                       const Stop& stop);

/// Writes a string round by round as a moving picture: .gif, .mp4 or .apng by ffmpeg; where that is
/// missing or fails its frames stay as SVG in a folder beside. Returns what was written, as a
/// sentence. Throws UsageError for another ending.
std::string write_animation(const PageCell& cell,
                            const RunRecord& run,
                            const std::filesystem::path& file);

}  // namespace isthmus::app
