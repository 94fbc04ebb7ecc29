// SPDX-License-Identifier: MIT
#include "isthmus/strings/repair.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/path/path.h"
#include "isthmus/strings/option_table.h"

namespace isthmus {
namespace {

constexpr std::uint64_t try_purpose = 0x747279;              // "try"
constexpr std::uint64_t direction_purpose = 0x646972656374;  // "direct"

// The midpoint of a chord of some squared length, moved by rho of its length in a random direction
// normal to it.
std::vector<float> displaced(
    std::span<const float> a, std::span<const float> b, double chord, double rho, Rng random) {
  std::vector<double> direction(a.size());
  double along = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    direction[i] = random.normal();
    along += direction[i] * (static_cast<double>(b[i]) - static_cast<double>(a[i]));
  }
  double norm = 0.0;  // squared
  for (std::size_t i = 0; i < a.size(); ++i) {
    direction[i] -= along / chord * (static_cast<double>(b[i]) - static_cast<double>(a[i]));
    norm += direction[i] * direction[i];
  }
  std::vector<float> theta(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double middle = 0.5 * (static_cast<double>(a[i]) + static_cast<double>(b[i]));
    theta[i] = static_cast<float>(middle + rho * std::sqrt(chord / norm) * direction[i]);
  }
  return theta;
}

// The callbacks of a part of a string: its journal, and events that say which try it is.
struct Part {
  std::unique_ptr<StringJournal> journal;
  StringCallbacks callbacks;

  Part(const StringCallbacks& whole, std::size_t attempt, std::string_view name)
      : journal(whole.journal ? whole.journal->part(name) : nullptr),
        callbacks{.journal = journal.get(), .stop = whole.stop} {
    if (whole.progress) {
      callbacks.progress = [&whole, attempt](StringProgress event) {
        event.attempt = attempt;
        whole.progress(event);
      };
    }
  }
};

class Repair {
 public:
  Repair(Evaluators& evaluators,
         std::span<const float> a,
         std::span<const float> b,
         const MethodOptions& options,
         const StringCallbacks& callbacks)
      : evaluators_(evaluators), a_(a), b_(b), options_(options), callbacks_(callbacks) {}

  StringSummary direct() {
    StringSummary string = connect(evaluators_, a_, b_, options_, callbacks_);
    count(string);
    return string;
  }

  // The ending, if an end point that reaches the threshold as it is computed is not proven to: then
  // nothing that begins there is.
  std::optional<Ending> unproven_end_point(const Ending& direct) {
    if (options_.check != CheckKind::certified) {
      return std::nullopt;
    }
    for (const std::size_t end : {0, 1}) {
      const std::span<const float> theta = end == 0 ? a_ : b_;
      GrowingString point(
          evaluators_, options_, {.stop = callbacks_.stop}, std::array{theta, theta});
      point.evaluate_end_points();
      point.check_segments();
      cost_ += point.cost();
      if (!point.passes()) {
        Ending ending = direct;
        ending.kind = Ending::Kind::end_point_unproven;
        ending.bead = end;
        ending.value = point.check(0)->worst_value;
        return ending;
      }
    }
    return std::nullopt;
  }

  // The direct string without a stop for stagnation: the method's own.
  std::optional<StringSummary> patient() {
    std::optional<MethodOptions> options = left_over(1);
    if (!options) {
      return std::nullopt;
    }
    options->stagnation = 0;
    const Part part(callbacks_, 0, "patient");
    StringSummary string = connect(evaluators_, a_, b_, *options, part.callbacks);
    count(string);
    return string;
  }

  // The string of the try, if it connects.
  std::optional<StringSummary> restart(std::size_t attempt, double rho) {
    const std::optional<std::vector<float>> middle = trained_middle(attempt, rho);
    if (!middle) {
      return std::nullopt;
    }
    std::optional<StringSummary> left = leg(attempt, "-left", a_, *middle, 2);
    if (!left || left->verdict != Verdict::connected) {
      return std::nullopt;
    }
    std::optional<StringSummary> right = leg(attempt, "-right", *middle, b_, left->path.size());
    if (!right || right->verdict != Verdict::connected) {
      return std::nullopt;
    }
    return joined(std::move(*left), std::move(*right));
  }

  // Whether there is a way round, and the limits leave room for another string.
  bool may_go_on() const {
    return a_.size() > 1 && chord_ > 0.0 && std::isfinite(chord_) && left_over(2).has_value();
  }

  // Puts the costs of everything that was tried into a string.
  void settle(StringSummary& string) const {
    string.cost = cost_;
    string.beads_inserted = inserted_;
    string.beads_unreached = unreached_;
    string.ending.steps = steps_;
  }

 private:
  std::uint64_t stream_of(std::size_t attempt, std::string_view suffix) const {
    return stream_name({options_.stream, try_purpose, attempt, suffix.size()});
  }

  // The options of a string beside one of some beads, with what is left of all limits.
  std::optional<MethodOptions> left_over(std::size_t beads) const {
    MethodOptions options = options_;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    if (steps_ >= options.max_total_steps || elapsed.count() >= options.max_seconds ||
        beads + 1 > options.max_beads) {
      return std::nullopt;
    }
    if (options.max_total_steps != std::numeric_limits<std::size_t>::max()) {
      options.max_total_steps -= steps_;
    }
    options.max_seconds -= elapsed.count();
    options.max_beads -= beads - 1;
    return options;
  }

  // Trained as a bead of the string A, C, B.
  std::optional<std::vector<float>> trained_middle(std::size_t attempt, double rho) {
    std::optional<MethodOptions> options = left_over(2);
    if (!options) {
      return std::nullopt;
    }
    options->stream = stream_of(attempt, "");
    const std::vector<float> start = displaced(
        a_, b_, chord_, rho, Rng(options_.seed, stream_name({options->stream, direction_purpose})));
    const Part part(callbacks_, attempt, fmt::format("try{}", attempt));
    GrowingString string(
        evaluators_, *options, part.callbacks, std::array{a_, std::span<const float>(start), b_});
    constexpr std::array<std::size_t, 1> middle{1};
    string.train_beads(middle);
    cost_ += string.cost();
    steps_ += string.ending(Ending::Kind::connected).steps;
    ++inserted_;
    const Comparison comparison = string.options().grid.comparison;
    unreached_ += reaches(*string.bead(1).value, options->target(), comparison) ? 0 : 1;
    if (string.stuck_among(middle)) {
      return std::nullopt;
    }
    return string.bead(1).theta;
  }

  std::optional<StringSummary> leg(std::size_t attempt,
                                   std::string_view suffix,
                                   std::span<const float> from,
                                   std::span<const float> to,
                                   std::size_t beads) {
    std::optional<MethodOptions> options = left_over(beads);
    if (!options) {
      return std::nullopt;
    }
    const Part part(callbacks_, attempt, fmt::format("try{}{}", attempt, suffix));
    options->stream = stream_of(attempt, suffix);
    StringSummary string = connect(evaluators_, from, to, *options, part.callbacks);
    count(string);
    return string;
  }

  void count(const StringSummary& string) {
    cost_ += string.cost;
    steps_ += string.ending.steps;
    inserted_ += string.beads_inserted;
    unreached_ += string.beads_unreached;
  }

  Evaluators& evaluators_;
  std::span<const float> a_;
  std::span<const float> b_;
  const MethodOptions& options_;
  const StringCallbacks& callbacks_;
  double chord_ = squared_distance(a_, b_);
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  StringCost cost_;
  std::size_t steps_ = 0;
  std::size_t inserted_ = 0;
  std::size_t unreached_ = 0;
};

}  // namespace

void RepairOptions::validate() const {
  check_options(repair_option_table(), *this);
  for (const double part : rho) {
    if (!(part > 0.0) || !std::isfinite(part)) {
      throw UsageError(fmt::format("rho: expected a finite number > 0, got {}", part));
    }
  }
}

RepairedString connect_repaired(Evaluators& evaluators,
                                std::span<const float> a,
                                std::span<const float> b,
                                const MethodOptions& options,
                                const RepairOptions& repair,
                                const StringCallbacks& callbacks) {
  repair.validate();
  Repair run(evaluators, a, b, options, callbacks);
  RepairedString result{.string = run.direct()};
  if (repair.mode == RepairMode::none || result.string.verdict != Verdict::not_connected) {
    return result;
  }
  if (const std::optional<Ending> unproven = run.unproven_end_point(result.string.ending)) {
    result.string.ending = *unproven;
    run.settle(result.string);
    return result;
  }
  while (result.tries < repair.tries && !result.repaired && run.may_go_on()) {
    const double rho = repair.rho[result.tries % repair.rho.size()];
    ++result.tries;
    if (std::optional<StringSummary> string = run.restart(result.tries, rho)) {
      result.string = std::move(*string);
      result.repaired = true;
    }
  }
  using Kind = Ending::Kind;
  const Kind kind = result.string.ending.kind;
  if (!result.repaired && (kind == Kind::stagnation || kind == Kind::crowding)) {
    if (std::optional<StringSummary> string = run.patient()) {
      result.string = std::move(*string);
    }
  }
  run.settle(result.string);
  return result;
}

}  // namespace isthmus
