// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/strings/chain_training.h"
#include "isthmus/strings/option_table.h"
#include "isthmus/strings/relax.h"

namespace isthmus {
namespace {

constexpr std::uint64_t band_purpose = 0x62616e64;  // "band"

// The force on a band at one step.
class BandForce {
 public:
  // `shares` of the band's length, one a segment.
  explicit BandForce(std::vector<double> shares) : shares_(std::move(shares)) {}

  std::uint64_t operator()(std::size_t step,
                           Path& band,
                           CommonBatches& batches,
                           std::span<float> force) {
    band = resample(band, shares_);
    const std::size_t dimension = band.dimension;
    gradients_.resize(band.beads.size());
    losses_.resize(band.size());
    // The end points stay: where batches do, one look at them is enough.
    const bool all = !batches.constant() || !ends_known_;
    const std::size_t first = all ? 0 : 1;
    const std::size_t count = band.size() - 2 * first;
    ISTHMUS_ASSERT(count > 0, "a band has pivots");
    const std::uint64_t spent =
        batches.evaluate(std::span(band.beads).subspan(first * dimension, count * dimension),
                         std::span(losses_).subspan(first, count),
                         std::span(gradients_).subspan(first * dimension, count * dimension));
    ends_known_ = true;
    tangent_.resize(dimension);
    for (std::size_t i = 1; i + 1 < band.size(); ++i) {
      improved_tangent(band.bead(i - 1),
                       band.bead(i),
                       band.bead(i + 1),
                       {losses_[i - 1], losses_[i], losses_[i + 1]},
                       tangent_);
      project(std::span(gradients_).subspan(i * dimension, dimension),
              force.subspan((i - 1) * dimension, dimension));
    }
    // A band that goes on from its state has counted its ends before.
    return all && step > 0 && batches.constant() ? spent / count * (count - 2) : spent;
  }

 private:
  void project(std::span<const float> gradient, std::span<float> force) const {
    double along = 0.0;
    for (std::size_t k = 0; k < force.size(); ++k) {
      along += static_cast<double>(gradient[k]) * static_cast<double>(tangent_[k]);
    }
    for (std::size_t k = 0; k < force.size(); ++k) {
      force[k] = static_cast<float>(static_cast<double>(gradient[k]) -
                                    along * static_cast<double>(tangent_[k]));
    }
  }

  std::vector<double> shares_;
  std::vector<float> gradients_;  // (N, P)
  std::vector<double> losses_;    // (N)
  std::vector<float> tangent_;    // (P)
  bool ends_known_ = false;
};

// Where the next cycle gets its pivots.
std::vector<Cut> highest(const GrowingString& string, const NebTerms& terms) {
  double least = *string.bead(0).value;
  double most = least;
  for (std::size_t i = 0; i < string.size(); ++i) {
    least = std::min(least, *string.bead(i).value);
    most = std::max(most, *string.bead(i).value);
  }
  std::vector<std::pair<double, Cut>> found;
  for (const std::size_t i : string.open_segments()) {
    const SegmentCheck& check = *string.check(i);
    most = std::max(most, check.worst_value);
    const double chord =
        (1.0 - check.worst_t) * *string.bead(i).value + check.worst_t * *string.bead(i + 1).value;
    if (check.worst_t > 0.0 && check.worst_t < 1.0) {
      found.push_back({check.worst_value - chord, {.segment = i, .t = check.worst_t}});
    }
  }
  std::erase_if(found, [&](const auto& at) { return !(at.first > terms.excess * (most - least)); });
  std::ranges::stable_sort(found, std::greater{}, [](const auto& at) { return at.first; });
  found.resize(std::min(found.size(), terms.insertions));
  std::vector<Cut> cuts;
  std::ranges::transform(found, std::back_inserter(cuts), [](const auto& at) { return at.second; });
  std::ranges::sort(cuts, {}, &Cut::segment);
  return cuts;
}

// New pivots split the shares of their segments.
void split(std::vector<double>& shares, std::span<const Cut> cuts) {
  for (std::size_t i = cuts.size(); i-- > 0;) {
    const auto at = shares.begin() + static_cast<std::ptrdiff_t>(cuts[i].segment);
    const double share = *at;
    *at = (1.0 - cuts[i].t) * share;
    shares.insert(at, cuts[i].t * share);
  }
}

double rate_of(std::size_t cycle, std::size_t cycles) {
  const std::size_t of_fourteen = 14 * cycle / cycles;
  return of_fourteen < 6 ? 1.0 : of_fourteen < 10 ? 0.1 : 0.01;
}

// Returns false if it was cut short.
bool train_band(GrowingString& string,
                const NebTerms& terms,
                std::size_t cycle,
                const std::vector<double>& shares,
                const StringCallbacks& callbacks) {
  BandForce band(shares);
  const double rate = rate_of(cycle, terms.cycles);
  const ChainTraining plan{
      .force =
          [&](std::size_t step, Path& path, CommonBatches& batches, std::span<float> force) {
            return band(step, path, batches, force);
          },
      .rate = [rate](std::size_t) { return rate; },
      .steps = terms.steps,
      .training = string.options().training,
      .stream = stream_name({string.options().stream, band_purpose, cycle}),
      .look_every = terms.look_every};
  const auto look = [](const Path& path) {
    ChainLook pivots{.thetas = {path.beads.begin() + static_cast<std::ptrdiff_t>(path.dimension),
                                path.beads.end() - static_cast<std::ptrdiff_t>(path.dimension)},
                     .bead = std::vector<std::size_t>(path.size() - 2)};
    std::iota(pivots.bead.begin(), pivots.bead.end(), std::size_t{0});
    return pivots;
  };
  return train_inner_beads(string, plan, look, callbacks);
}

std::vector<std::size_t> inner_places(const GrowingString& string) {
  std::vector<std::size_t> places(string.size() - 2);
  std::iota(places.begin(), places.end(), std::size_t{1});
  return places;
}

StringSummary grow_band(GrowingString& string,
                        const NebTerms& terms,
                        const StringCallbacks& callbacks) {
  std::vector<double> shares(terms.pivots + 1, 1.0 / static_cast<double>(terms.pivots + 1));
  for (std::size_t cycle = 0;; ++cycle) {
    const std::vector<Cut> cuts = cycle == 0 ? std::vector<Cut>{} : highest(string, terms);
    const std::size_t more = cycle == 0 ? terms.pivots : cuts.size();
    // All pivots train.
    if (const std::optional<Ending> limit = string.limit_met(more, string.size() - 2)) {
      return string.finish(*limit);
    }
    string.start_round();
    if (cycle == 0) {
      insert_evenly(string, terms.pivots);
    } else {
      split(shares, cuts);
      string.insert(cuts);
    }
    const bool whole = train_band(string, terms, cycle, shares, callbacks);
    string.evaluate_beads(inner_places(string));
    string.check_segments();
    if (string.passes()) {
      return string.finish(string.ending(Ending::Kind::connected));
    }
    if (!whole) {
      return string.finish(out_of_steps(string));
    }
  }
}

}  // namespace

void NebTerms::validate() const {
  check_options(neb_option_table(), *this);
}

void improved_tangent(std::span<const float> left,
                      std::span<const float> bead,
                      std::span<const float> right,
                      const std::array<double, 3>& losses,
                      std::span<float> tangent) {
  const double to_left = losses[0] - losses[1];
  const double to_right = losses[2] - losses[1];
  double behind = 0.5;  // of bead - left
  double ahead = 0.5;   // of right - bead
  if (to_left < 0.0 && to_right > 0.0) {
    behind = 0.0;
  } else if (to_left > 0.0 && to_right < 0.0) {
    ahead = 0.0;
  } else if (to_left != 0.0 || to_right != 0.0) {
    const double large = std::max(std::abs(to_left), std::abs(to_right));
    const double small = std::min(std::abs(to_left), std::abs(to_right));
    const bool right_higher = to_right > to_left;
    ahead = (right_higher ? large : small) / large;
    behind = (right_higher ? small : large) / large;
  }
  const auto along = [&](std::size_t k) {
    const auto here = static_cast<double>(bead[k]);
    return behind * (here - static_cast<double>(left[k])) +
           ahead * (static_cast<double>(right[k]) - here);
  };
  double square = 0.0;
  for (std::size_t k = 0; k < tangent.size(); ++k) {
    square += along(k) * along(k);
  }
  const double factor = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  for (std::size_t k = 0; k < tangent.size(); ++k) {
    tangent[k] = static_cast<float>(factor * along(k));
  }
}

StringSummary connect_neb(Evaluators& evaluators,
                          std::span<const float> a,
                          std::span<const float> b,
                          const StringOptions& common,
                          const NebTerms& terms,
                          const StringCallbacks& callbacks) {
  terms.validate();
  StringOptions options = common;
  options.grid.stop_at_failure = false;
  options.max_rounds = terms.cycles;
  GrowingString string(evaluators, options, callbacks, std::array{a, b});
  if (const std::optional<Ending> decided = string.decided_by_line()) {
    return string.finish(*decided);
  }
  return grow_band(string, terms, callbacks);
}

}  // namespace isthmus
