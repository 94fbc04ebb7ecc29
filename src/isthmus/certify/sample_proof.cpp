// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "isthmus/certify/error_pieces.h"

namespace isthmus {
namespace {

constexpr std::size_t most_parts = lane_count;

// The grids of `parts` intervals that cover [0, 1].
std::vector<SampleGrid> grids_of(std::size_t parts) {
  const double width = 1.0 / static_cast<double>(parts);
  const std::size_t each = std::min(parts, most_parts);
  std::vector<SampleGrid> grids;
  for (std::size_t from = 0; from < parts; from += each) {
    grids.push_back({static_cast<double>(from) * width, width, each});
  }
  return grids;
}

// What is found of each job: its intervals with possibly wrong times.
std::vector<std::vector<Piece>> look_at(SegmentRun& run, std::span<const SampleJob> jobs) {
  std::vector<std::vector<Piece>> found(jobs.size());
  run.enclose_samples(jobs, [&](std::size_t job, const SampleMargins& margins) {
    const auto [sample, grid] = jobs[job];
    for (std::size_t i = 0; i < grid.parts; ++i) {
      const TimeInterval interval{grid.t(i), grid.t(i + 1)};
      WrongTimes times = wrong_times(margins.left,
                                     margins.right,
                                     margins.deviation,
                                     run.problem().data->labels[sample],
                                     i,
                                     interval.t0,
                                     interval.t1);
      if (!times.possible.empty()) {
        found[job].push_back({sample, interval, std::move(times)});
      }
    }
  });
  return found;
}

bool any_undecided(std::span<const Piece> pieces) {
  return std::ranges::any_of(
      pieces, [](const Piece& piece) { return undecided(piece.times, [](auto) { return true; }); });
}

// Into how many intervals all samples are cut first: what costs least if each sample that it leaves
// undecided goes through again with twice as many, as seen of a few samples.
std::size_t parts_for_errors(SegmentRun& run) {
  constexpr std::size_t probes = 40;
  const std::size_t samples = run.problem().samples();
  if (samples < 16 * probes) {
    return 1;
  }
  std::vector<double> cost;
  std::vector<double> left;  // of the samples
  std::vector<SampleJob> jobs(probes);
  for (std::size_t parts = 1; parts <= most_parts; parts *= 2) {
    for (std::size_t i = 0; i < probes; ++i) {
      const std::size_t sample = (2 * i + 1) * samples / (2 * probes);
      jobs[i] = {static_cast<std::uint32_t>(sample), grids_of(parts).front()};
    }
    const double before = run.evaluations();
    const auto found = look_at(run, jobs);
    cost.push_back(run.evaluations() - before);
    left.push_back(
        static_cast<double>(std::ranges::count_if(
            found, [](const std::vector<Piece>& pieces) { return any_undecided(pieces); })) /
        static_cast<double>(probes));
    if (left.back() <= 0.1) {
      break;
    }
  }
  std::size_t best = cost.size() - 1;
  double least = cost.back();
  double total = least;
  for (std::size_t level = cost.size() - 1; level-- > 0;) {
    total = cost[level] + left[level] * total;
    if (total <= least) {
      least = total;
      best = level;
    }
  }
  return std::size_t{1} << best;
}

// The count of misread samples over a segment, from samples that go through one by one on grids
// that become finer where it matters.
class SampleProof {
 public:
  explicit SampleProof(SegmentRun& run)
      : run_(run),
        count_(run),
        parts_(std::max(std::size_t{1} << run.options().first_level, parts_for_errors(run))) {}

  SegmentProof prove() {
    std::vector<SampleJob> jobs;
    for (std::uint32_t sample = 0; sample < run_.problem().samples(); ++sample) {
      for (const SampleGrid& grid : grids_of(parts_)) {
        jobs.push_back({sample, grid});
      }
    }
    while (true) {
      for (std::vector<Piece>& pieces : look_at(run_, jobs)) {
        std::ranges::move(pieces, std::back_inserter(settled_));
      }
      count_.look_at(settled_);
      jobs = count_.violated() || count_.enough() ? std::vector<SampleJob>{} : next_jobs();
      const std::size_t pieces = std::transform_reduce(
          jobs.begin(), jobs.end(), std::size_t{0}, std::plus{}, [](const SampleJob& job) {
            return job.grid.parts;
          });
      if (jobs.empty() || !run_.affords(pieces)) {
        return count_.result(first_intervals(static_cast<std::size_t>(std::countr_zero(parts_))));
      }
      drop_covered(jobs);
    }
  }

 private:
  // Finer grids over the decisive pieces of a sample: one as long as it has room for all of them.
  static void cover(std::span<const TimeInterval> pieces,
                    std::uint32_t sample,
                    std::vector<SampleJob>& jobs) {
    constexpr double finer = 0.25;
    SampleGrid grid;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const double width = finer * (pieces[i].t1 - pieces[i].t0);
      const double finest = i == 0 ? width : std::min(width, grid.width);
      const double parts = (pieces[i].t1 - grid.t0) / finest;
      if (i > 0 && parts <= static_cast<double>(most_parts)) {
        grid.width = finest;
        grid.parts = static_cast<std::size_t>(parts);
        continue;
      }
      if (i > 0) {
        jobs.push_back({sample, grid});
      }
      grid = {pieces[i].t0, width, static_cast<std::size_t>(1.0 / finer)};
    }
    jobs.push_back({sample, grid});
  }

  // The decisive samples with the most undecided time: what is long is cheap to shorten.
  std::vector<SampleJob> next_jobs() const {
    constexpr double of_the_longest = 0.125;
    const std::vector<char> chosen = count_.decisive(settled_);
    std::map<std::uint32_t, std::vector<TimeInterval>> open;
    for (std::size_t i = 0; i < settled_.size(); ++i) {
      if (chosen[i] != 0) {
        open[settled_[i].sample].push_back(settled_[i].interval);
      }
    }
    const auto length = [](std::span<const TimeInterval> pieces) {
      return std::transform_reduce(
          pieces.begin(), pieces.end(), 0.0, std::plus{}, [](const TimeInterval& piece) {
            return piece.t1 - piece.t0;
          });
    };
    double longest = 0.0;
    for (const auto& [sample, pieces] : open) {
      longest = std::max(longest, length(pieces));
    }
    std::vector<SampleJob> jobs;
    for (auto& [sample, pieces] : open) {
      if (length(pieces) >= of_the_longest * longest) {
        std::ranges::sort(pieces);
        cover(pieces, sample, jobs);
      }
    }
    return jobs;
  }

  // Forgets the pieces that the jobs look at again.
  void drop_covered(std::span<const SampleJob> jobs) {
    std::map<std::uint32_t, std::vector<TimeInterval>> covered;
    for (const SampleJob& job : jobs) {
      covered[job.sample].push_back({job.grid.t0, job.grid.t(job.grid.parts)});
    }
    std::erase_if(settled_, [&](const Piece& piece) {
      const auto found = covered.find(piece.sample);
      return found != covered.end() &&
             std::ranges::any_of(found->second, [&](const TimeInterval& grid) {
               return grid.t0 <= piece.interval.t0 && piece.interval.t1 <= grid.t1;
             });
    });
  }

  SegmentRun& run_;
  ErrorCount count_;
  std::size_t parts_;
  std::vector<Piece> settled_;  // misread at some time, as far as known
};

}  // namespace

SegmentProof prove_errors_one_by_one(SegmentRun& run) {
  return SampleProof(run).prove();
}

}  // namespace isthmus
