// SPDX-License-Identifier: MIT
#include "isthmus/report/frame.h"

#include <algorithm>

namespace isthmus {
namespace {

constexpr double tick_size = 11;
constexpr Stroke grid{"#e4e4e4", 0.8, ""};
constexpr Stroke edge{"#333333", 1, ""};

}  // namespace

void draw_value_axis(Svg& svg, const Frame& frame, const Scale& scale, std::string_view label) {
  const double height = frame.bottom - frame.top;
  for (const Tick& tick : scale.ticks(static_cast<std::size_t>(height / 32))) {
    const double y = scale.at(tick.value);
    svg.line(frame.left, y, frame.right, y, grid);
    svg.line(frame.left - 4, y, frame.left, y, edge);
    svg.text(frame.left - 8, y + 4, tick.label, {.size = tick_size, .anchor = Anchor::end});
  }
  svg.text(frame.left - 54,
           0.5 * (frame.top + frame.bottom),
           label,
           {.size = 13, .anchor = Anchor::middle, .upwards = true});
  svg.polygon({{frame.left, frame.top},
               {frame.right, frame.top},
               {frame.right, frame.bottom},
               {frame.left, frame.bottom}},
              "none",
              edge);
}

void draw_position_axis(
    Svg& svg, const Frame& frame, const Scale& scale, std::string_view label, double label_y) {
  Labels labels;
  for (const Tick& tick : scale.ticks(static_cast<std::size_t>((frame.right - frame.left) / 60))) {
    const double x = scale.at(tick.value);
    svg.line(x, frame.bottom, x, frame.bottom + 4, edge);
    if (labels.claim(x, text_width(tick.label, tick_size) + 6)) {
      svg.text(x, frame.bottom + 16, tick.label, {.size = tick_size, .anchor = Anchor::middle});
    }
  }
  svg.text(
      0.5 * (frame.left + frame.right), label_y, label, {.size = 13, .anchor = Anchor::middle});
}

bool Labels::claim(double center, double width) {
  const double low = center - 0.5 * width;
  const double high = center + 0.5 * width;
  const bool free = std::all_of(taken_.begin(), taken_.end(), [&](const auto& other) {
    return high <= other.first || low >= other.second;
  });
  if (free) {
    taken_.emplace_back(low, high);
  }
  return free;
}

}  // namespace isthmus
