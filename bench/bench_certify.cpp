// SPDX-License-Identifier: MIT
// The price of a proof of an error rate beside that of a grid of 21 points, of segments of a path
// of task `mnist`: processor time of this thread, of the inner points and one end of the grid (the
// other one belongs to the segment before), and of the proof against the threshold of the file.
//
//     bench_certify PATH.safetensors [STRIDE [SEGMENT...]]
//
// With a stride every so many samples alone are looked at, and the threshold is what the worst of
// a few points of the grid has, and three samples more.
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/certify/certifier.h"
#include "isthmus/core/workers.h"
#include "isthmus/objective/objective.h"
#include "isthmus/path/path_file.h"
#include "isthmus/study/study.h"
#include "isthmus/study/task.h"

namespace {

using namespace isthmus;

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::shared_ptr<const Dataset> some_of(const Problem& problem, std::size_t stride) {
  const auto all = load_data(problem, std::nullopt);
  if (stride == 1) {
    return all;
  }
  auto some = std::make_shared<Dataset>(*all);
  Samples& test = some->test;
  const std::size_t features = test.features();
  const std::size_t count = all->test.count / stride;
  for (std::size_t i = 0; i < count; ++i) {
    std::copy_n(
        all->test.bytes.data() + i * stride * features, features, test.bytes.data() + i * features);
    test.labels[i] = all->test.labels[i * stride];
  }
  test.count = count;
  test.bytes.resize(count * features);
  test.labels.resize(count);
  return some;
}

int run(int argc, char** argv) {
  const PathFile file = read_path(argv[1]);
  const double threshold = std::stod(file.metadata.at("threshold"));
  const StudyOptions options = default_options(task_of("mnist"), Protocol::strict);
  const std::size_t stride = argc > 2 ? std::stoul(argv[2]) : 1;
  const auto objective = make_objective(options.problem, some_of(options.problem, stride));
  const Certifier certifier(*objective, Split::test, Metric::error_rate);
  Workers workers(1);
  std::vector<std::size_t> segments;
  for (int i = 3; i < argc; ++i) {
    segments.push_back(std::stoul(argv[i]));
  }
  for (std::size_t i = 0; argc <= 3 && i + 1 < file.path.size(); ++i) {
    segments.push_back(i);
  }
  const auto evaluator = objective->evaluator();
  for (const std::size_t segment : segments) {
    const auto a = file.path.bead(segment);
    const auto b = file.path.bead(segment + 1);
    const double before = thread_seconds();
    std::vector<float> theta(a.size());
    constexpr int points = 4;  // of 20: they cost the same
    double worst = 0.0;
    for (int k = 1; k <= points; ++k) {
      const float t = 0.2F * static_cast<float>(k);
      for (std::size_t i = 0; i < theta.size(); ++i) {
        theta[i] = (1.0F - t) * a[i] + t * b[i];
      }
      double value = 0.0;
      const Metric metric = Metric::error_rate;
      evaluator->metrics(Split::test, metric, theta, {&value, 1});
      worst = std::max(worst, value);
    }
    const double grid = 20.0 / points * (thread_seconds() - before);
    const double middle = thread_seconds();
    CertifyOptions asked;
    asked.threshold = stride == 1
                          ? threshold
                          : worst + 3.0 / static_cast<double>(objective->samples(Split::test));
    const SegmentProof proof = certifier.certify(a, b, asked, workers);
    const double seconds = thread_seconds() - middle;
    std::cout << "segment " << segment << ": grid " << grid << " s, proof " << seconds << " s, "
              << seconds / grid << " of it; " << name_of(proof.outcome) << ", " << proof.evaluations
              << " evaluations, at most " << proof.bound << ", seen " << proof.largest_seen
              << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return argc < 2 ? 64 : run(argc, argv);
}
