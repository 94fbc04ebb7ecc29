// SPDX-License-Identifier: MIT
#include "isthmus/certify/certifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "isthmus/certify/enclosure.h"
#include "isthmus/certify/loss_bound.h"
#include "isthmus/certify/rounding.h"
#include "isthmus/certify/wrong_times.h"
#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t kept_numbers = std::size_t{1} << 26;  // of the first layer, both ends: 512 MB
constexpr std::size_t weights_at_once = std::size_t{1} << 22;  // numbers, of several intervals
constexpr double least_width = 0x1p-40;
constexpr std::size_t largest_first_level = 20;

bool counts_errors(Metric metric) {
  return metric == Metric::error_rate;
}
bool needs_margins(Metric metric) {
  return loss_of(metric) == Loss::cross_entropy;
}

struct Interval {
  double t0 = 0.0;
  double t1 = 1.0;
};

// Samples of one label that go through together.
struct Block {
  std::vector<std::uint32_t> samples;
  std::int32_t label = -1;

  std::size_t variant(std::size_t variants) const {
    return variants == 1 ? 0 : static_cast<std::size_t>(label);
  }
};

// What a certifier holds.
struct CertifiedProblem {
  const Samples* data = nullptr;
  Metric metric = Metric::mean_absolute_error;
  std::vector<Step> steps;
  std::size_t first = 0;  // linear step
  std::size_t dimension = 0;
  std::vector<Block> blocks;  // of all samples
  double largest_input = 0.0;
  double multiplications = 0.0;  // of one forward pass of one sample

  std::size_t samples() const { return data->count; }

  // Blocks of samples in order, each of one label.
  std::vector<Block> blocks_of(std::span<const std::uint32_t> samples) const {
    std::vector<Block> made;
    for (const std::uint32_t sample : samples) {
      const std::int32_t label = needs_margins(metric) ? data->labels[sample] : -1;
      if (made.empty() || made.back().label != label || made.back().samples.size() == lane_count) {
        made.push_back({.samples = {}, .label = label});
      }
      made.back().samples.push_back(sample);
    }
    return made;
  }
};

// The weights of all linear steps at one t, of every variant.
struct TimeWeights {
  std::vector<std::vector<StepWeights>> steps;

  PointWeights of(const Block& block) const {
    PointWeights found(steps.size(), nullptr);
    for (std::size_t step = 0; step < steps.size(); ++step) {
      if (!steps[step].empty()) {
        found[step] = &steps[step][block.variant(steps[step].size())];
      }
    }
    return found;
  }
};

struct TimeChange {
  std::vector<std::vector<StepChange>> steps;

  IntervalChange of(const Block& block) const {
    IntervalChange found(steps.size(), nullptr);
    for (std::size_t step = 0; step < steps.size(); ++step) {
      if (!steps[step].empty()) {
        found[step] = &steps[step][block.variant(steps[step].size())];
      }
    }
    return found;
  }
};

// One segment under proof.
class SegmentRun {
 public:
  SegmentRun(const CertifiedProblem& problem,
             std::span<const float> a,
             std::span<const float> b,
             const CertifyOptions& options,
             Workers& workers,
             const Stop* stop);

  SegmentProof run();

 private:
  SegmentProof prove_loss();
  SegmentProof prove_errors();

  void obey_stop() const {
    if (stop_ && stop_->requested()) {
      throw Interrupted("stopped on request in the middle of a proof");
    }
  }
  bool spent() const { return evaluations() > options_.max_evaluations; }
  double evaluations() const {
    return multiplications_ / (problem_.multiplications * static_cast<double>(problem_.samples()));
  }

  std::vector<Interval> first_intervals() const;
  void keep_first_layer();
  TimeWeights weights_at(double t) const;
  TimeChange change_between(const Interval& interval) const;
  std::vector<const WeightNorms*> norms_of(const Block& block) const;

  // Calls use(block, interval, left, right, deviation) for every block and interval, blocks in
  // parallel, and adds up the work.
  template <class Use>
  void enclose(std::span<const Block> blocks, std::span<const Interval> intervals, Use use);

  struct Scratch {
    explicit Scratch(const std::vector<Step>& steps) : enclosure(steps) {}
    Enclosure enclosure;
    EndValues left;
    EndValues right;
    Deviation deviation;
    Rows inputs;
    std::vector<float> input;
  };
  Scratch& scratch_of(std::size_t worker) {
    if (!scratch_[worker]) {
      scratch_[worker] = std::make_unique<Scratch>(problem_.steps);
    }
    return *scratch_[worker];
  }
  void fill_inputs(const Block& block, Scratch& scratch) const;
  void end_values(const Block& block,
                  double t,
                  const TimeWeights& weights,
                  Scratch& scratch,
                  EndValues& end) const;

  std::vector<LossSums> loss_sums_of(std::span<const Interval> intervals);

  const CertifiedProblem& problem_;
  const CertifyOptions& options_;
  Workers& workers_;
  const Stop* stop_;
  SegmentWeights weights_;
  std::vector<std::unique_ptr<Scratch>> scratch_;
  bool first_kept_ = false;
  std::vector<double> first_a_;  // (samples, rows of the first linear step)
  std::vector<double> first_b_;
  double multiplications_ = 0.0;
};

SegmentRun::SegmentRun(const CertifiedProblem& problem,
                       std::span<const float> a,
                       std::span<const float> b,
                       const CertifyOptions& options,
                       Workers& workers,
                       const Stop* stop)
    : problem_(problem),
      options_(options),
      workers_(workers),
      stop_(stop),
      weights_(problem.steps, a, b, needs_margins(problem.metric)),
      scratch_(workers.size()) {
}

SegmentProof SegmentRun::run() {
  keep_first_layer();
  SegmentProof proof = counts_errors(problem_.metric) ? prove_errors() : prove_loss();
  proof.evaluations = evaluations();
  proof.samples = static_cast<std::uint64_t>(
      std::llround(proof.evaluations * static_cast<double>(problem_.samples())));
  return proof;
}

std::vector<Interval> SegmentRun::first_intervals() const {
  const auto count = std::size_t{1} << options_.first_level;
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < count; ++i) {
    intervals.push_back({static_cast<double>(i) / static_cast<double>(count),
                         static_cast<double>(i + 1) / static_cast<double>(count)});
  }
  return intervals;
}

// The first linear step is affine in t: its values at the two ends of the segment, if they are few.
void SegmentRun::keep_first_layer() {
  if (problem_.first == problem_.steps.size()) {
    return;
  }
  const std::size_t rows = problem_.steps[problem_.first].out_rows;
  if (2 * rows * problem_.samples() > kept_numbers) {
    return;
  }
  first_a_.resize(rows * problem_.samples());
  first_b_.resize(rows * problem_.samples());
  const std::array<double, 2> ends{0.0, 1.0};
  for (const double t : ends) {
    const TimeWeights weights = weights_at(t);
    std::vector<double>& kept = t == 0.0 ? first_a_ : first_b_;
    std::vector<double> work(problem_.blocks.size());
    workers_.for_each(problem_.blocks.size(), [&](std::size_t i, std::size_t worker) {
      obey_stop();
      Scratch& scratch = scratch_of(worker);
      const Block& block = problem_.blocks[i];
      const double before = scratch.enclosure.multiplications();
      fill_inputs(block, scratch);
      scratch.enclosure.forward(
          scratch.inputs, weights.of(block), problem_.first + 1, scratch.left);
      const Rows& values = scratch.left.values[problem_.first];
      for (std::size_t lane = 0; lane < block.samples.size(); ++lane) {
        for (std::size_t row = 0; row < rows; ++row) {
          kept[block.samples[lane] * rows + row] = values[row][lane];
        }
      }
      work[i] = (scratch.enclosure.multiplications() - before) *
                static_cast<double>(block.samples.size());
    });
    multiplications_ = std::accumulate(work.begin(), work.end(), multiplications_);
  }
  first_kept_ = true;
}

TimeWeights SegmentRun::weights_at(double t) const {
  TimeWeights made;
  made.steps.resize(problem_.steps.size());
  for (std::size_t step = 0; step < problem_.steps.size(); ++step) {
    if (problem_.steps[step].kind == Step::Kind::linear &&
        !(first_kept_ && step == problem_.first)) {
      for (std::size_t variant = 0; variant < weights_.variants(step); ++variant) {
        made.steps[step].push_back(weights_.at(t, step, variant));
      }
    }
  }
  return made;
}

TimeChange SegmentRun::change_between(const Interval& interval) const {
  TimeChange made;
  made.steps.resize(problem_.steps.size());
  for (std::size_t step = problem_.first + 1; step < problem_.steps.size(); ++step) {
    if (problem_.steps[step].kind == Step::Kind::linear) {
      for (std::size_t variant = 0; variant < weights_.variants(step); ++variant) {
        made.steps[step].push_back(weights_.change(interval.t0, interval.t1, step, variant));
      }
    }
  }
  return made;
}

std::vector<const WeightNorms*> SegmentRun::norms_of(const Block& block) const {
  std::vector<const WeightNorms*> found(problem_.steps.size(), nullptr);
  for (std::size_t step = 0; step < problem_.steps.size(); ++step) {
    if (problem_.steps[step].kind == Step::Kind::linear) {
      found[step] = &weights_.norms(step, block.variant(weights_.variants(step)));
    }
  }
  return found;
}

void SegmentRun::fill_inputs(const Block& block, Scratch& scratch) const {
  const std::size_t features = problem_.data->features();
  scratch.inputs.resize(features);
  scratch.input.resize(features);
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    if (lane < block.samples.size()) {
      problem_.data->copy_input(block.samples[lane], scratch.input.data());
    }
    for (std::size_t row = 0; row < features; ++row) {
      scratch.inputs[row][lane] = static_cast<double>(scratch.input[row]);
    }
  }
}

void SegmentRun::end_values(const Block& block,
                            double t,
                            const TimeWeights& weights,
                            Scratch& scratch,
                            EndValues& end) const {
  if (!first_kept_) {
    fill_inputs(block, scratch);
    scratch.enclosure.forward(scratch.inputs, weights.of(block), problem_.steps.size(), end);
    return;
  }
  const std::size_t rows = problem_.steps[problem_.first].out_rows;
  end.values.resize(problem_.steps.size());
  Rows& known = end.values[problem_.first];
  known.resize(rows);
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    const std::size_t sample = block.samples[std::min(lane, block.samples.size() - 1)];
    for (std::size_t row = 0; row < rows; ++row) {
      known[row][lane] =
          (1.0 - t) * first_a_[sample * rows + row] + t * first_b_[sample * rows + row];
    }
  }
  scratch.enclosure.forward_from(problem_.first, weights.of(block), end);
}

template <class Use>
void SegmentRun::enclose(std::span<const Block> blocks,
                         std::span<const Interval> intervals,
                         Use use) {
  std::vector<double> work(blocks.size(), 0.0);
  std::size_t parameters = 1;
  for (const Step& step : problem_.steps) {
    parameters += step.outputs * step.inputs;
  }
  const std::size_t at_once = std::max<std::size_t>(1, weights_at_once / parameters);
  for (std::size_t begin = 0; begin < intervals.size(); begin += at_once) {
    const std::span<const Interval> some =
        intervals.subspan(begin, std::min(at_once, intervals.size() - begin));
    std::map<double, TimeWeights> times;
    std::vector<TimeChange> changes;
    for (const Interval& interval : some) {
      for (const double t : {interval.t0, interval.t1}) {
        if (!times.contains(t)) {
          times.emplace(t, weights_at(t));
        }
      }
      changes.push_back(change_between(interval));
    }
    workers_.for_each(blocks.size(), [&](std::size_t i, std::size_t worker) {
      obey_stop();
      Scratch& scratch = scratch_of(worker);
      const Block& block = blocks[i];
      const double before = scratch.enclosure.multiplications();
      for (std::size_t k = 0; k < some.size(); ++k) {
        const auto [t0, t1] = some[k];
        if (k > 0 && some[k - 1].t1 == t0) {
          std::swap(scratch.left, scratch.right);
        } else {
          end_values(block, t0, times.at(t0), scratch, scratch.left);
        }
        end_values(block, t1, times.at(t1), scratch, scratch.right);
        scratch.enclosure.enclose(scratch.left,
                                  scratch.right,
                                  times.at(t0).of(block),
                                  times.at(t1).of(block),
                                  changes[k].of(block),
                                  norms_of(block),
                                  t1 - t0,
                                  problem_.largest_input,
                                  scratch.deviation);
        use(i,
            begin + k,
            scratch.left.values.back(),
            scratch.right.values.back(),
            scratch.deviation);
      }
      work[i] += (scratch.enclosure.multiplications() - before) *
                 static_cast<double>(block.samples.size());
    });
  }
  multiplications_ = std::accumulate(work.begin(), work.end(), multiplications_);
}

std::vector<LossSums> SegmentRun::loss_sums_of(std::span<const Interval> intervals) {
  const std::vector<Block>& blocks = problem_.blocks;
  std::vector<LossSums> sums(blocks.size() * intervals.size());
  enclose(blocks,
          intervals,
          [&](std::size_t block,
              std::size_t interval,
              const Rows& left,
              const Rows& right,
              const Deviation& deviation) {
            BlockTargets targets;
            targets.count = blocks[block].samples.size();
            targets.label = blocks[block].label;
            const std::size_t outputs = problem_.data->targets.empty() ? 0 : left.size();
            targets.targets.resize(outputs);
            for (std::size_t j = 0; j < outputs; ++j) {
              for (std::size_t lane = 0; lane < targets.count; ++lane) {
                targets.targets[j][lane] = static_cast<double>(
                    problem_.data->targets[blocks[block].samples[lane] * outputs + j]);
              }
            }
            sums[interval * blocks.size() + block] =
                loss_sums(loss_of(problem_.metric), left, right, deviation, targets);
          });
  std::vector<LossSums> total(intervals.size());
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      total[i].add(sums[i * blocks.size() + block]);
    }
  }
  return total;
}

// How many parts an interval should have so that an excess which shrinks with the square of the
// width fits: a power of two, so that all t are dyadic.
std::size_t parts_for(double excess, double room) {
  std::size_t parts = 2;
  while (parts < 16 && !(excess <= room * static_cast<double>(parts * parts))) {
    parts *= 2;
  }
  return parts;
}

void split(const Interval& interval, std::size_t parts, std::vector<Interval>& into) {
  const double width = (interval.t1 - interval.t0) / static_cast<double>(parts);
  for (std::size_t i = 0; i < parts; ++i) {
    const double t0 = interval.t0 + width * static_cast<double>(i);
    into.push_back({t0, t0 + width});
  }
}

SegmentProof SegmentRun::prove_loss() {
  const std::size_t samples = problem_.samples();
  const bool perplexity = problem_.metric == Metric::perplexity;
  const auto shown = [&](double value) {
    return perplexity ? std::exp(value) * (1.0 + 0x1p-49) : value;
  };
  const auto shown_least = [&](double value) {
    return perplexity ? std::exp(value) * (1.0 - 0x1p-49) : value;
  };
  const double threshold = perplexity ? std::log(options_.threshold) : options_.threshold;
  SegmentProof proof;
  double seen = -std::numeric_limits<double>::infinity();
  std::vector<Interval> open = first_intervals();
  while (!open.empty()) {
    const std::vector<LossSums> sums = loss_sums_of(open);
    std::vector<double> bounds(open.size());
    for (std::size_t i = 0; i < open.size(); ++i) {
      bounds[i] = sums[i].bound(samples);
      for (const auto& [value, t] : {std::pair(sums[i].least_left(samples), open[i].t0),
                                     std::pair(sums[i].least_right(samples), open[i].t1)}) {
        if (value > seen) {
          seen = value;
          proof.t = t;
        }
      }
    }
    const bool violated = std::isfinite(seen) && shown_least(seen) > options_.threshold;
    // A bound below 1e-12 in an exact zero is no gap worth an interval.
    const double target = !options_.gap ? threshold
                          : perplexity  ? seen + std::log1p(*options_.gap)
                                        : seen + *options_.gap * std::abs(seen) + 1e-12;
    std::vector<Interval> next;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const double ends = std::max(sums[i].left, sums[i].right) / static_cast<double>(samples);
      const bool low_enough =
          options_.gap ? bounds[i] <= target : shown(bounds[i]) <= options_.threshold;
      if (low_enough || violated || spent() || open[i].t1 - open[i].t0 <= least_width) {
        proof.intervals.push_back({open[i].t0, open[i].t1, shown(bounds[i])});
      } else {
        split(open[i], parts_for(bounds[i] - ends, target - ends), next);
      }
    }
    std::swap(open, next);
    if (violated) {
      proof.outcome = SegmentProof::Outcome::violated;
    }
  }
  std::ranges::sort(proof.intervals, {}, &IntervalBound::t0);
  proof.bound = std::ranges::max(proof.intervals, {}, &IntervalBound::bound).bound;
  proof.largest_seen = shown_least(seen);
  if (proof.outcome != SegmentProof::Outcome::violated) {
    const double target = options_.gap
                              ? proof.largest_seen + *options_.gap * std::abs(proof.largest_seen) +
                                    2e-12 * (1.0 + proof.largest_seen) * (1.0 + *options_.gap)
                              : options_.threshold;
    proof.outcome =
        proof.bound <= target ? SegmentProof::Outcome::proven : SegmentProof::Outcome::undecided;
  }
  return proof;
}

// A sample in an interval.
struct Piece {
  std::uint32_t sample = 0;
  Interval interval;
  WrongTimes times;
};

// All ranges of all pieces, those of one sample joined.
std::vector<Range> gather(std::span<const Piece> pieces, std::vector<Range> WrongTimes::*which) {
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(
      order, {}, [&](std::size_t i) { return std::pair(pieces[i].sample, pieces[i].interval.t0); });
  std::vector<Range> all;
  std::vector<Range> own;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const Piece& piece = pieces[order[k]];
    const std::vector<Range>& ranges = piece.times.*which;
    own.insert(own.end(), ranges.begin(), ranges.end());
    if (k + 1 == order.size() || pieces[order[k + 1]].sample != piece.sample) {
      join(own);
      all.insert(all.end(), own.begin(), own.end());
      own.clear();
    }
  }
  return all;
}

// The bound on the count over each interval of a partition.
std::vector<std::size_t> counts_within(std::span<const Range> ranges,
                                       std::span<const Interval> partition) {
  std::vector<std::size_t> counts;
  std::vector<Range> cut;
  for (const Interval& interval : partition) {
    cut.clear();
    for (const Range& range : ranges) {
      if (range.from <= interval.t1 && range.to >= interval.t0) {
        cut.push_back({std::max(range.from, interval.t0), std::min(range.to, interval.t1)});
      }
    }
    counts.push_back(largest_crowd(cut, false).count);
  }
  return counts;
}

SegmentProof SegmentRun::prove_errors() {
  const std::size_t samples = problem_.samples();
  const auto rate = [&](std::size_t count) {
    return static_cast<double>(count) / static_cast<double>(samples);
  };
  SegmentProof proof;
  std::vector<Piece> settled;  // misread at some time, as far as known
  std::map<std::pair<double, double>, std::vector<std::uint32_t>> open;
  std::vector<std::uint32_t> all;
  for (const Block& block : problem_.blocks) {
    all.insert(all.end(), block.samples.begin(), block.samples.end());
  }
  std::vector<Interval> partition = first_intervals();
  for (const Interval& interval : partition) {
    open[{interval.t0, interval.t1}] = all;
  }
  std::size_t most = 0;   // nowhere more
  std::size_t least = 0;  // somewhere as many
  while (true) {
    for (const auto& [ends, list] : open) {
      const std::vector<Block> blocks = problem_.blocks_of(list);
      const Interval interval{ends.first, ends.second};
      std::vector<std::vector<Piece>> found(blocks.size());
      enclose(blocks,
              {&interval, 1},
              [&](std::size_t block,
                  std::size_t,
                  const Rows& left,
                  const Rows& right,
                  const Deviation& deviation) {
                const Block& own = blocks[block];
                for (std::size_t lane = 0; lane < own.samples.size(); ++lane) {
                  WrongTimes times = wrong_times(
                      left, right, deviation, own.label, lane, interval.t0, interval.t1);
                  if (!times.possible.empty()) {
                    found[block].push_back({own.samples[lane], interval, std::move(times)});
                  }
                }
              });
      for (std::vector<Piece>& pieces : found) {
        std::ranges::move(pieces, std::back_inserter(settled));
      }
    }
    open.clear();
    const std::vector<Range> possible = gather(settled, &WrongTimes::possible);
    const Crowd surely = largest_crowd(gather(settled, &WrongTimes::certain), true);
    most = largest_crowd(possible, false).count;
    if (surely.count > least) {
      least = surely.count;
      proof.t = 0.5 * (surely.at.from + surely.at.to);
    }
    const bool violated = rate(least) > options_.threshold;
    const bool enough = options_.gap ? rate(most) <= rate(least) * (1.0 + *options_.gap)
                                     : rate(most) <= options_.threshold;
    if (violated || enough || spent()) {
      proof.outcome = violated ? SegmentProof::Outcome::violated
                      : enough ? SegmentProof::Outcome::proven
                               : SegmentProof::Outcome::undecided;
      const std::vector<std::size_t> counts = counts_within(possible, partition);
      for (std::size_t i = 0; i < partition.size(); ++i) {
        proof.intervals.push_back({partition[i].t0, partition[i].t1, rate(counts[i])});
      }
      break;
    }
    // Only pieces where the count may still be too large are looked at more closely.
    const double allowed = options_.gap ? rate(least) * (1.0 + *options_.gap) : options_.threshold;
    const std::vector<Range> busy = crowded(possible, allowed * static_cast<double>(samples));
    std::vector<Piece> kept;
    for (Piece& piece : settled) {
      std::vector<Range> doubtful;
      for (const Range& range : piece.times.possible) {
        const std::vector<Range> rest = complement(piece.times.certain, range.from, range.to);
        doubtful.insert(doubtful.end(), rest.begin(), rest.end());
      }
      const bool matters = std::ranges::any_of(doubtful, [&](const Range& range) {
        return range.to - range.from > least_width && overlap(busy, range);
      });
      if (!matters) {
        kept.push_back(std::move(piece));
        continue;
      }
      std::vector<Interval> parts;
      split(piece.interval, 2, parts);
      for (const Interval& part : parts) {
        open[{part.t0, part.t1}].push_back(piece.sample);
      }
    }
    settled = std::move(kept);
    if (open.empty()) {
      proof.outcome = SegmentProof::Outcome::undecided;
      proof.intervals.push_back({0.0, 1.0, rate(most)});
      break;
    }
  }
  proof.bound = rate(most);
  proof.largest_seen = rate(least);
  return proof;
}

}  // namespace

struct Certifier::Problem : CertifiedProblem {};

std::string_view name_of(SegmentProof::Outcome outcome) {
  switch (outcome) {
    case SegmentProof::Outcome::proven:
      return "proven";
    case SegmentProof::Outcome::violated:
      return "violated";
    case SegmentProof::Outcome::undecided:
      break;
  }
  return "undecided";
}

std::optional<std::string> reason_not_covered(const Network& network, Metric metric) {
  if (std::optional<std::string> reason = layer_not_covered(network)) {
    return reason;
  }
  const std::vector<Step> steps = steps_of(network);
  if (steps.empty()) {
    return "the network has no layer";
  }
  if (needs_margins(metric) &&
      (steps.back().kind != Step::Kind::linear || steps.back().positions() != 1)) {
    return fmt::format("{} needs a dense last layer", name_of(metric));
  }
  return std::nullopt;
}

Certifier::Certifier(const Objective& objective, Split split, Metric metric)
    : problem_(std::make_unique<Problem>()) {
  if (objective.network() == nullptr || !objective.supports(metric)) {
    throw UsageError(fmt::format("no proof of {}: the objective is no network whose data define it",
                                 name_of(metric)));
  }
  if (const auto reason = reason_not_covered(*objective.network(), metric)) {
    throw UsageError(fmt::format("no proof of {}: {}", name_of(metric), *reason));
  }
  problem_->data = objective.data(split);
  problem_->metric = metric;
  problem_->steps = steps_of(*objective.network());
  problem_->first = first_linear(problem_->steps);
  problem_->dimension = objective.dimension();
  const Samples& data = *problem_->data;
  std::vector<std::uint32_t> order(data.count);
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  if (needs_margins(metric)) {
    std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return data.labels[i]; });
  }
  problem_->blocks = problem_->blocks_of(order);
  problem_->largest_input = 1.0;  // of bytes
  for (const float value : data.values) {
    if (!std::isfinite(value)) {
      throw UsageError(fmt::format(
          "no proof of {}: the samples hold {}; expected finite numbers", name_of(metric), value));
    }
    problem_->largest_input =
        std::max(problem_->largest_input, static_cast<double>(std::abs(value)));
  }
  for (const Step& step : problem_->steps) {
    problem_->multiplications += static_cast<double>(step.multiplications());
  }
  problem_->multiplications = std::max(problem_->multiplications, 1.0);
}

Certifier::~Certifier() = default;
Certifier::Certifier(Certifier&&) noexcept = default;
Certifier& Certifier::operator=(Certifier&&) noexcept = default;

SegmentProof Certifier::certify(std::span<const float> a,
                                std::span<const float> b,
                                const CertifyOptions& options,
                                Workers& workers,
                                const Stop* stop) const {
  for (const std::span<const float> theta : {a, b}) {
    if (theta.size() != problem_->dimension) {
      throw UsageError(fmt::format(
          "end points: expected {} parameters, got {}", problem_->dimension, theta.size()));
    }
    const auto bad = std::ranges::find_if(theta, [](float x) { return !std::isfinite(x); });
    if (bad != theta.end()) {
      throw UsageError(fmt::format(
          "end points: parameter {} is {}; expected finite ones", bad - theta.begin(), *bad));
    }
  }
  if (std::isnan(options.threshold) || std::isnan(options.max_evaluations)) {
    throw UsageError("a proof needs a threshold and a number of evaluations that are numbers");
  }
  if (options.first_level > largest_first_level) {
    throw UsageError(fmt::format(
        "first level: expected at most {}, got {}", largest_first_level, options.first_level));
  }
  if (options.gap && !(*options.gap >= 0.0)) {
    throw UsageError(fmt::format("gap: expected a number >= 0, got {}", *options.gap));
  }
  return SegmentRun(*problem_, a, b, options, workers, stop).run();
}

}  // namespace isthmus
