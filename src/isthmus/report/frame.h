// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "isthmus/report/scale.h"
#include "isthmus/report/svg.h"

namespace isthmus {

/// The box that a panel draws into, in pixels.
struct Frame {
  double left = 0;
  double right = 0;
  double top = 0;
  double bottom = 0;
};

/// The vertical axis: grid lines, labels of the ticks, what the values are, and the box.
void draw_value_axis(Svg& svg, const Frame& frame, const Scale& scale, std::string_view label);

/// The horizontal axis: ticks and their labels below the frame (a label that would touch another is
/// left out, its tick is not), and, with its base line at `label_y`, what the values are.
void draw_position_axis(
    Svg& svg, const Frame& frame, const Scale& scale, std::string_view label, double label_y);

/// Room on one line of text, given to whoever comes first.
class Labels {
 public:
  /// Takes the room around `center`; false if someone has part of it.
  bool claim(double center, double width);

 private:
  std::vector<std::pair<double, double>> taken_;
};

}  // namespace isthmus
