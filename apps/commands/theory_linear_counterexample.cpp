// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/theory/linear_path.h"
#include "theory.h"

namespace isthmus::app {

// (a, b) of the network b a x with data x = y = 1: F = (a b - 1)^2.
void print_linear_counterexample(std::size_t points, bool json) {
  const std::vector<double> one{1.0};
  const LinearLoss loss({1, 1, 1}, {one, one});
  const LinearNetwork a{{1, 1, 1}, {1.0, 1.0}};
  const LinearNetwork b{{1, 1, 1}, {-1.0, -1.0}};
  std::string refusal;
  try {
    connect_linear(a, b);
  } catch (const UsageError& error) {
    refusal = error.what();
  }
  // Through the origin; and what one more unit changes.
  const double crossing = loss(std::vector<double>{0.0, 0.0});
  const LinearLoss wider_loss({1, 2, 1}, {one, one});
  const LinearPathLoss wider = measure(
      connect_linear({{1, 2, 1}, {1, 0, 1, 0}}, {{1, 2, 1}, {-1, 0, -1, 0}}), wider_loss, points);
  if (json) {
    fmt::print("{}\n",
               Json{{"network", "1-1-1"},
                    {"loss_a", loss(a.theta)},
                    {"loss_b", loss(b.theta)},
                    {"barrier", crossing},
                    {"components", {"a > 0, b > 0", "a < 0, b < 0"}},
                    {"refusal", refusal},
                    {"maximum_with_one_more_unit", wider.maximum}}
                   .dump(2));
    return;
  }
  fmt::print(
      "Network 1-1-1, x -> b a x, on the sample x = y = 1: F = (a b - 1)^2. Its widths meet the "
      "printed\ncondition n_j >= min(n_1, n_K).\n"
      "  F( 1,  1) = {:g} and F(-1, -1) = {:g}.\n"
      "  Below the level 1 there are two components: a > 0, b > 0 and a < 0, b < 0. On a path from "
      "one to\n  the other a changes its sign, so somewhere a b = 0, and there F = 1. The straight "
      "line through\n  (0, 0) attains F = {:g}: the barrier is exactly 1.\n"
      "  The construction refuses: {}\n"
      "Network 1-2-1, the same with a second unit of zeros: largest loss on the path {:.3g}.\n",
      loss(a.theta),
      loss(b.theta),
      crossing,
      refusal,
      wider.maximum);
}

}  // namespace isthmus::app
