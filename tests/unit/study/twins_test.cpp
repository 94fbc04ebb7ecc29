// SPDX-License-Identifier: MIT
// Studies of end points that are one network, and of aligned ones.
#include "isthmus/strings/twins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/option_table.h"
#include "isthmus/study/run_directory.h"
#include "isthmus/study/study.h"
#include "isthmus/study/task.h"
#include "support/symmetries.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::TemporaryFolder;
using Theta = std::vector<float>;

const Network network{{4},
                      {testing::dense(6),
                       testing::activation(testing::relu),
                       testing::dense(5),
                       testing::activation(testing::relu),
                       testing::dense(3)}};

std::shared_ptr<const Dataset> data() {
  Rng rng(4);
  return testing::labelled_noise(4, 3, rng);
}

Theta copy_of(const Theta& theta, std::uint64_t seed, bool permuted) {
  const SymmetryGroup group = symmetries_of(network);
  Symmetry symmetry = testing::random_symmetry(group, seed, 100.0);
  for (std::size_t d = 0; !permuted && d < symmetry.size(); ++d) {
    symmetry[d].source = identity_of(group)[d].source;
  }
  Theta result = theta;
  apply(group, symmetry, result);
  return result;
}

// A study of two given end points at `level` times the larger of their losses.
StudyOptions study_of(const Theta& a, const Theta& b, double level, Protocol protocol) {
  StudyOptions options = default_options(network, "mnist", protocol);
  options.string.grid.metric = Metric::cross_entropy;
  options.string.check = CheckKind::sampled;
  options.string.max_rounds = 1;
  options.string.training.max_steps = 5;
  options.string.training.batch_size = 0;
  options.from = GivenEndPoint{.name = "a", .theta = a};
  options.to = GivenEndPoint{.name = "b", .theta = b};
  const auto objective = make_objective(options, 0, data());
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  double losses[2];
  evaluators.of(0).metrics(Split::test, Metric::cross_entropy, a, {&losses[0], 1});
  evaluators.of(0).metrics(Split::test, Metric::cross_entropy, b, {&losses[1], 1});
  options.thresholds = {level * std::fmax(losses[0], losses[1])};
  return options;
}

struct Finished {
  CellRecord cell;
  PathFile path;
};

Finished run(const StudyOptions& options) {
  const TemporaryFolder folder;
  RunDirectory directory(folder / "run", run_configuration(options), false);
  Workers workers(2);
  run_study(options, data(), directory, workers);
  const double threshold = options.thresholds.front();
  return {.cell = directory.find_cell(threshold, 0).value(),
          .path = read_path(folder.path() / "run/paths" / path_file_name(threshold, 0))};
}

TEST(StudyOfTwins, JoinsThemBeforeAnyMethod) {
  const Theta a = testing::random_theta(network, 5);
  const Theta b = copy_of(a, 6, false);
  StudyOptions options = study_of(a, b, 1.05, Protocol::strict);
  options.string.max_rounds = 12;
  const Finished finished = run(options);
  EXPECT_EQ(finished.cell.row.verdict, Verdict::connected);
  EXPECT_EQ(finished.cell.row.joined, "symmetry");
  EXPECT_EQ(finished.cell.row.gradient_samples_beads, 0U);
  EXPECT_EQ(finished.cell.details["symmetry"]["moved"], 0);
  EXPECT_LT(finished.cell.details["symmetry"]["difference"], 1e-6);
  // The path ends at the end points as they were given.
  EXPECT_EQ(Theta(finished.path.path.bead(0).begin(), finished.path.path.bead(0).end()), a);
  const std::size_t last = finished.path.path.size() - 1;
  EXPECT_EQ(Theta(finished.path.path.bead(last).begin(), finished.path.path.bead(last).end()), b);
}

TEST(StudyOfTwins, GoesOnByTheMethodWhereTheCurveDoesNotPass) {
  // The level leaves nothing, and there is one bead.
  const Theta a = testing::random_theta(network, 5);
  const StudyOptions options = study_of(a, copy_of(a, 6, false), 1.0 + 1e-9, Protocol::strict);
  const Finished finished = run(options);
  EXPECT_EQ(finished.cell.row.verdict, Verdict::not_connected);
  EXPECT_GT(finished.cell.row.gradient_samples_beads, 0U);
  EXPECT_NE(finished.cell.row.joined, "symmetry");
  StudyOptions paper = options;
  paper.protocol = Protocol::paper;
  const Finished method_alone = run(paper);
  EXPECT_EQ(method_alone.cell.row.gradient_samples_beads, finished.cell.row.gradient_samples_beads);
  EXPECT_GT(finished.cell.row.forward_samples_checks, method_alone.cell.row.forward_samples_checks);
  EXPECT_EQ(finished.path.path.beads, method_alone.path.path.beads);
}

TEST(StudyOfTwins, LooksForThemAmongGivenEndPointsOfTheStrictProtocol) {
  const Theta a = testing::random_theta(network, 5);
  const Theta permuted = copy_of(a, 6, true);
  const Finished known = run(study_of(a, permuted, 1.05, Protocol::strict));
  EXPECT_GT(known.cell.details["symmetry"]["moved"], 0);
  EXPECT_NE(known.cell.details["reason"].get<std::string>().find("one network"), std::string::npos);
  EXPECT_NE(known.cell.row.joined, "symmetry");
  // By way of the network that has the units of one and the factors of the other.
  const auto objective = make_objective(study_of(a, permuted, 1.05, Protocol::strict), 0, data());
  const Theta way = unscaled_twin(*objective, a, *twins_among(*objective, a, permuted));
  const auto values = testing::forward(network, way, 1);
  const auto expected = testing::forward(network, a, 1);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i], 1e-5);
  }
  const Path& path = known.path.path;
  std::size_t at = 1;
  while (at + 1 < path.size() && !std::ranges::equal(path.bead(at), way)) {
    ++at;
  }
  EXPECT_LT(at + 1, path.size());
  const Finished published = run(study_of(a, permuted, 1.05, Protocol::paper));
  EXPECT_FALSE(published.cell.details.contains("symmetry"));
  Theta near = copy_of(a, 6, false);
  Rng rng(3);
  for (float& x : near) {
    x *= static_cast<float>(1.0 + 1e-3 * rng.normal());
  }
  EXPECT_FALSE(run(study_of(a, near, 1.05, Protocol::strict)).cell.details.contains("symmetry"));
  EXPECT_FALSE(run(study_of(a, a, 1.05, Protocol::strict)).cell.details.contains("symmetry"));
}

TEST(StudyOfAligned, EndsAtTheCopy) {
  const Theta a = testing::random_theta(network, 5);
  const Theta b = copy_of(a, 6, true);
  StudyOptions options = study_of(a, b, 1.05, Protocol::strict);
  for (const EndAlignment align : {EndAlignment::weights, EndAlignment::activations}) {
    options.align = align;
    const Finished finished = run(options);
    EXPECT_EQ(finished.cell.row.verdict, Verdict::connected);
    EXPECT_EQ(finished.cell.row.aligned, "aligned");
    EXPECT_EQ(finished.cell.row.joined, "direct");
    EXPECT_EQ(finished.path.metadata.at("aligned"), name_of(align));
    ASSERT_EQ(finished.path.path.size(), 2U);
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_NEAR(finished.path.path.bead(1)[i], a[i], 1e-6 + 1e-5 * std::abs(a[i]));
    }
  }
  // Of a network of its own, the copy computes what B does, and is closer.
  options = study_of(a, testing::random_theta(network, 9), 1.05, Protocol::strict);
  options.align = EndAlignment::weights;
  const Finished finished = run(options);
  const std::size_t last = finished.path.path.size() - 1;
  const Theta end(finished.path.path.bead(last).begin(), finished.path.path.bead(last).end());
  const std::vector<double> expected = testing::forward(network, options.to->theta, 1);
  const std::vector<double> outputs = testing::forward(network, end, 1);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(outputs[i], expected[i], 1e-5);
  }
  EXPECT_LT(finished.cell.details["alignment"]["distance"],
            finished.cell.details["alignment"]["distance_before"]);
}

TEST(StudyOfAligned, IsWrittenAndReadBack) {
  StudyOptions options = default_options(task_of("cubic"), Protocol::strict);
  EXPECT_FALSE(to_json(options).contains("align"));
  options.align = EndAlignment::activations;
  const Json json = to_json(options);
  EXPECT_EQ(json["align"], "activations");
  EXPECT_EQ(options_from_json(json).align, EndAlignment::activations);
}

}  // namespace
}  // namespace isthmus
