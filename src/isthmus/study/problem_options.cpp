// SPDX-License-Identifier: MIT
#include <cstddef>

#include "isthmus/study/option_table.h"

namespace isthmus {
namespace {

// A point is an input and a target, and everything that is computed of it while a network trains.
constexpr double most_risk_points = 10'000'000;

}  // namespace

// clang-format off: one option a line
const OptionTable<Problem>& problem_option_table() {
  using P = Problem;
  static const OptionTable<P> table = [] {
    OptionTable<P> options{
        name_option<P>("risk",
                       [](auto& p) -> auto& { return p.risk; },
                       {.flag = "risk",
                        .help = "quadratic and cubic: oracle (midpoint rule of the input "
                                "distribution) or empirical (random points)",
                        .preset = "oracle",
                        .group = "Problem"}),
        number_option<P>(
            "risk_points",
            [](auto& p) -> auto& { return p.risk_points; },
            Range::between(1, most_risk_points),
            {.flag = "risk-points",
             .help =
                 "Points of that risk; points of two-gaussians and poor-minimum, a multiple of 8",
             .preset = "256 for oracle, 10000 for empirical; 400",
             .group = "Problem"}),
        number_option<P>("covariance",
                         [](auto& p) -> auto& { return p.covariance; },
                         Range{.least = 0.0, .most = 1e6, .above_least = true},
                         {.flag = "covariance",
                          .help = "two-gaussians and poor-minimum: the small variance",
                          .preset = "0.05",
                          .group = "Problem"}),
        number_option<P>("streams",
                         [](auto& p) -> auto& { return p.streams; },
                         Range::at_least(1),
                         {.flag = "streams",
                          .help = "Texts: sequences side by side, in training and evaluation",
                          .preset = "20",
                          .group = "Training"}),
        number_option<P>("window",
                         [](auto& p) -> auto& { return p.window; },
                         Range::at_least(1),
                         {.flag = "window",
                          .help = "Texts: words of each sequence in a step",
                          .preset = "20",
                          .group = "Training"}),
        flag_option<P>("fresh_state",
                       [](auto& p) -> auto& { return p.carry_state; },
                       {.flag = "fresh-state",
                        .help = "Texts: begin every window of training with a state of zero, "
                                "instead of that of the window before",
                        .preset = "false",
                        .group = "Training"}),
    };
    // config.json says whether the state is carried, the flag that it is not.
    Option<P>& fresh = options.back();
    fresh.get = [](const P& p) { return Json(!p.carry_state); };
    fresh.set = [carry = fresh.set](P& p, const Json& json) {
      carry(p, json);
      p.carry_state = !p.carry_state;
    };
    return options;
  }();
  return table;
}
// clang-format on

}  // namespace isthmus
