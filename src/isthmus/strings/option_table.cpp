// SPDX-License-Identifier: MIT
#include "isthmus/strings/option_table.h"

namespace isthmus {

using S = StringOptions;

// clang-format off: one option a line
// NOLINTNEXTLINE(readability-function-size): a table
const OptionTable<StringOptions>& string_option_table() {
  static const OptionTable<StringOptions> table{
      name_option<S>("metric",
                     [](auto& s) -> auto& { return s.grid.metric; },
                     {.flag = "metric",
                      .help = "What the threshold bounds; an error rate is a fraction",
                      .preset = "the task's",
                      .group = "Problem"}),
      name_option<S>("split",
                     [](auto& s) -> auto& { return s.grid.split; },
                     {.flag = "split",
                      .help = "The split whose metric defines the level set",
                      .preset = "test",
                      .group = "Problem"}),
      number_option<S>("alpha",
                       [](auto& s) -> auto& { return s.alpha; },
                       {.most = 1.0, .above_least = true},
                       {.flag = "alpha",
                        .help = "A bead trains until its metric is at most alpha * L0",
                        .preset = "0.95; image tasks and texts 0.98"}),
      number_option<S>("tolerance",
                       [](auto& s) -> auto& { return s.tolerance; },
                       Range::at_least(1.0),
                       {.flag = "tolerance",
                        .help = "A segment passes below tolerance * L0",
                        .preset = "1; paper: 1.1, 1.02"}),
      number_option<S>(
          "points",
          [](auto& s) -> auto& { return s.grid.points; },
          Range::between(2, most_points),
          {.flag = "points",
           .help = "Grid points of a segment, both ends included; paper: without t = 1",
           .preset = "101; image tasks 21; texts 11"}),
      flag_option<S>("include_end",
                     [](auto& s) -> auto& { return s.grid.include_end; },
                     {.flag = "",
                      .help = "Whether the grid of a segment has its end, t = 1",
                      .preset = "true; paper: false"}),
      name_option<S>(
          "check",
          [](auto& s) -> auto& { return s.check; },
          {.flag = "check",
           .help = "What a segment must pass: certified, a proof for all of it "
                   "(docs/certificate.md); screened, every grid point on the samples that can "
                   "matter (docs/checks.md); sampled, every grid point",
           .preset = "strict: certified for perceptrons, screened for other samples that stand "
                     "alone; else sampled"}),
      number_option<S>("max_evaluations",
                       [](auto& s) -> auto& { return s.max_evaluations; },
                       Range::positive(),
                       {.flag = "max-evaluations",
                        .help = "Budget of one proof",
                        .unit = "full passes over the split",
                        .preset = "100"}),
      number_option<S>(
          "bead_average",
          [](auto& s) -> auto& { return s.training.average; },
          Range::between(0.0, 0.9999),
          {.flag = "bead-average",
           .help = "A bead is looked at, and taken, as a moving average of that decay over the "
                   "steps of its training; 0: as it is",
           .preset = "strict: 0.99 for losses of images and error rates of perceptrons; else 0"}),
      number_option<S>(
          "bead_importance",
          [](auto& s) -> auto& { return s.training.importance; },
          Range::between(0.0, 0.95),
          {.flag = "bead-importance",
           .help =
               "Share of a bead's batches that is drawn by what each sample's last gradient was "
               "worth, in the place of shuffled epochs (cross-entropy of samples that stand "
               "alone); 0: none",
           .preset = "strict: 0.5 for cross-entropies of images; else 0"}),
      number_option<S>(
          "bead_damping",
          [](auto& s) -> auto& { return s.training.damping; },
          Range::between(0.0, 1.0),
          {.flag = "bead-damping",
           .help = "Share by which a bead's gradient is damped along the direction in which the "
                   "first layer's is steepest, as if its inputs were centred (sgd and momentum; "
                   "linear layers and convolutions); 0: not",
           .preset = "strict: 1 for perceptrons by cross-entropies of images; else 0"}),
      number_option<S>(
          "max_rounds",
          [](auto& s) -> auto& { return s.max_rounds; },
          Range::at_least(1),
          {.flag = "max-rounds",
           .help = "Rounds of inserting beads; breadth-first: at each level, its training counted",
           .preset = "12; paper: 10"}),
      number_option<S>("max_beads",
                       [](auto& s) -> auto& { return s.max_beads; },
                       Range::at_least(2),
                       {.flag = "max-beads",
                        .help = "Beads of one string, end points included",
                        .preset = "4096"}),
      number_option<S>("max_total_steps",
                       [](auto& s) -> auto& { return s.max_total_steps; },
                       Range{}.or_infinity(),
                       {.flag = "max-total-steps",
                        .help = "Budget of all beads of a string; each round shares what is left "
                                "evenly among its beads",
                        .unit = "gradient steps",
                        .preset = "no limit"}),
      number_option<S>(
          "max_seconds",
          [](auto& s) -> auto& { return s.max_seconds; },
          Range::positive().or_infinity(),
          {.flag = "max-seconds",
           .help = "No round of a string starts after this time (depends on the machine)",
           .unit = "seconds",
           .preset = "no limit"}),
  };
  return table;
}

const OptionTable<GreedyOptions>& greedy_option_table() {
  static const OptionTable<GreedyOptions> table{
      name_option<GreedyOptions>(
          "t_star",
          [](auto& s) -> auto& { return s.t_star; },
          {.flag = "t-star",
           .help = "Where a bead goes: half, or argmax of the segment's grid",
           .preset = "half; mnist under paper: argmax"}),
      flag_option<GreedyOptions>(
          "always_insert",
          [](auto& s) -> auto& { return s.always_insert; },
          {.flag = "",
           .help = "Whether the first bead is put in without a look at the straight line",
           .preset = "false; paper: true"}),
      number_option<GreedyOptions>(
          "stagnation",
          [](auto& s) -> auto& { return s.stagnation; },
          Range{},
          {.flag = "stagnation",
           .help = "Gives a string up when that many beads in a row leave a segment longer than .9 "
                   "of what it was; 0: never",
           .unit = "beads",
           .preset = "3 with --repair restarts, else 0"}),
      number_option<GreedyOptions>(
          "stuck_tries",
          [](auto& s) -> auto& { return s.stuck_tries; },
          Range{},
          {.flag = "stuck-tries",
           .help = "How often a bead that stays above the bound is taken out and its segment cut "
                   "elsewhere; then it ends the string",
           .unit = "beads",
           .preset = "0"}),
      number_option<GreedyOptions>(
          "bead_bend",
          [](auto& s) -> auto& { return s.bead_bend; },
          Range::between(0.0, 2.0),
          {.flag = "bead-bend",
           .help = "Where a bead begins: 0, on its segment; 1, on the cubic through the beads "
                   "around it; else in parts of the way between, or beyond",
           .preset = "strict: 1.5 for losses of images and error rates of perceptrons; else 0"}),
  };
  return table;
}

const OptionTable<RepairOptions>& repair_option_table() {
  static const OptionTable<RepairOptions> table{
      name_option<RepairOptions>(
          "repair",
          [](auto& r) -> auto& { return r.mode; },
          {.flag = "repair",
           .help = "What is done about a string that fails: none, or restarts through a third "
                   "network beside the middle of the chord",
           .preset = "restarts for greedy and constrained strings; paper: none"}),
      number_option<RepairOptions>("repair_tries",
                                   [](auto& r) -> auto& { return r.tries; },
                                   Range::at_least(1),
                                   {.flag = "repair-tries",
                                    .help = "Restarts before a string is given up",
                                    .unit = "restarts",
                                    .preset = "quadratic, cubic 20; else 3"}),
  };
  return table;
}

const OptionTable<MethodOptions>& method_option_table() {
  static const OptionTable<MethodOptions> table{
      name_option<MethodOptions>("method",
                                 [](auto& s) -> auto& { return s.method; },
                                 {.flag = "method",
                                  .help = "How two networks are joined (docs/strings.md); compare: "
                                          "by each method in turn, with one table",
                                  .preset = "greedy"}),
  };
  return table;
}

const OptionTable<ConstrainedTerms>& constrained_option_table() {
  using T = ConstrainedTerms;
  static const OptionTable<T> table{
      number_option<T>("zeta",
                       [](auto& t) -> auto& { return t.zeta; },
                       Range{},
                       {.flag = "zeta",
                        .help = "Constrained: strength of the springs to a bead's neighbours",
                        .unit = "loss per length",
                        .preset = "0.003"}),
      number_option<T>("kappa",
                       [](auto& t) -> auto& { return t.kappa; },
                       Range{},
                       {.flag = "kappa",
                        .help = "Constrained: strength of the hyperplane halfway between them",
                        .unit = "loss per length",
                        .preset = "0.03"}),
      number_option<T>("halving",
                       [](auto& t) -> auto& { return t.halving; },
                       Range::at_least(1),
                       {.flag = "halving",
                        .help = "Constrained: both are half as strong after so many steps",
                        .unit = "gradient steps",
                        .preset = "500"}),
      name_option<T>("hyperplane",
                     [](auto& t) -> auto& { return t.hyperplane; },
                     {.flag = "hyperplane",
                      .help = "Constrained: a penalty, or exact: the bead trains inside it",
                      .preset = "penalty"}),
  };
  return table;
}

const OptionTable<ShortenTerms>& shorten_option_table() {
  using T = ShortenTerms;
  static const OptionTable<T> table{
      number_option<T>(
          "relax_beads",
          [](auto& t) -> auto& { return t.relax_beads; },
          Range::between(0, 1'000'000),
          {.flag = "relax-beads",
           .help =
               "Shortening: beads of the relaxed polyline, 3 or more; 0: as the path has, 12 to 64",
           .preset = "0"}),
      number_option<T>("relax_iterations",
                       [](auto& t) -> auto& { return t.relax_iterations; },
                       Range::at_least(1),
                       {.flag = "relax-iterations",
                        .help = "Shortening: iterations against the hinge",
                        .preset = "1000"}),
      number_option<T>("gauss_newton",
                       [](auto& t) -> auto& { return t.gauss_newton_iterations; },
                       Range{},
                       {.flag = "gauss-newton",
                        .help = "Shortening: Gauss-Newton iterations before them, for networks of "
                                "one input; 0: none",
                        .preset = "200"}),
  };
  return table;
}

const OptionTable<CurveTerms>& curve_option_table() {
  static const OptionTable<CurveTerms> table{
      number_option<CurveTerms>(
          "bends",
          [](auto& s) -> auto& { return s.bends; },
          Range::between(1, 64),
          {.flag = "bends",
           .help = "Polychain, Bezier: control points of the curve between its end points",
           .preset = "1"}),
      number_option<CurveTerms>(
          "curve_steps",
          [](auto& s) -> auto& { return s.steps; },
          Range::at_least(1),
          {.flag = "curve-steps",
           .help = "Polychain, Bezier: budget of the curve's training, which its rate follows",
           .unit = "gradient steps",
           .preset = "10000"}),
      number_option<CurveTerms>("curve_look_every",
                                [](auto& s) -> auto& { return s.look_every; },
                                {},
                                {.flag = "curve-look-every",
                                 .help = "Polychain, Bezier: places of the curve are looked at "
                                         "after so many steps; its training ends when "
                                         "all reach alpha * L0. 0: only at the end",
                                 .unit = "gradient steps",
                                 .preset = "100"}),
  };
  return table;
}

const OptionTable<NebTerms>& neb_option_table() {
  static const OptionTable<NebTerms> table{
      number_option<NebTerms>(
          "neb_pivots",
          [](auto& s) -> auto& { return s.pivots; },
          Range::between(1, 4096),
          {.flag = "neb-pivots", .help = "Neb: pivots of the first cycle", .preset = "3"}),
      number_option<NebTerms>(
          "neb_cycles",
          [](auto& s) -> auto& { return s.cycles; },
          Range::at_least(1),
          {.flag = "neb-cycles",
           .help = "Neb: cycles of moving the band and putting pivots in, in the "
                   "place of --max-rounds",
           .preset = "14"}),
      number_option<NebTerms>("neb_steps",
                              [](auto& s) -> auto& { return s.steps; },
                              Range::at_least(1),
                              {.flag = "neb-steps",
                               .help = "Neb: steps of the band in a cycle",
                               .unit = "gradient steps",
                               .preset = "1000"}),
      number_option<NebTerms>("neb_insertions",
                              [](auto& s) -> auto& { return s.insertions; },
                              {},
                              {.flag = "neb-insertions",
                               .help = "Neb: pivots that a later cycle puts in at most",
                               .preset = "2"}),
      number_option<NebTerms>(
          "neb_excess",
          [](auto& s) -> auto& { return s.excess; },
          Range::between(0.0, 1.0),
          {.flag = "neb-excess",
           .help = "Neb: a segment gets a pivot where its value exceeds the chord of "
                   "its ends by more than this share of the band's range",
           .preset = "0.1"}),
      number_option<NebTerms>(
          "neb_look_every",
          [](auto& s) -> auto& { return s.look_every; },
          {},
          {.flag = "neb-look-every",
           .help = "Neb: pivots are looked at after so many steps; a cycle ends when all reach "
                   "alpha * L0. 0: only at the end",
           .unit = "gradient steps",
           .preset = "100"}),
  };
  return table;
}

const OptionTable<BreadthFirstTerms>& breadth_first_option_table() {
  using T = BreadthFirstTerms;
  static const OptionTable<T> table{
      number_option<T>("level_ratio",
                       [](auto& t) -> auto& { return t.ratio; },
                       {.most = 0.99, .above_least = true},
                       {.flag = "level-ratio",
                        .help = "Breadth-first: a level is that many times the one before",
                        .preset = "0.8"}),
      number_option<T>("split_clip",
                       [](auto& t) -> auto& { return t.clip; },
                       Range::between(0.0, 0.5),
                       {.flag = "split-clip",
                        .help = "Breadth-first: segments are split where they are highest, within "
                                "[split-clip, 1 - split-clip]",
                        .preset = "0.1"}),
      flag_option<T>("from_random",
                     [](auto& t) -> auto& { return t.from_random; },
                     {.flag = "from-random",
                      .help = "Breadth-first: the end points are the initialisations, and train "
                              "with the beads",
                      .preset = "false"}),
  };
  return table;
}
// clang-format on

}  // namespace isthmus
