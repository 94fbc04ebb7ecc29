// SPDX-License-Identifier: MIT
#include "isthmus/strings/chain_training.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/train/checkpoint.h"

namespace isthmus {
namespace {

constexpr std::uint64_t batch_purpose = 0x6261746368;  // "batch"
constexpr std::uint64_t dropout_purpose = 0x64726f70;  // "drop"

// A chain has no loss and no target of its own for Polyak's steps.
OptimizerOptions optimizer_of_chain(const OptimizerOptions& options) {
  const auto* polyak = std::get_if<Polyak>(&options);
  return polyak ? Adam{.learning_rate = polyak->learning_rate} : options;
}

std::span<float> inner_points(Path& chain) {
  return std::span(chain.beads).subspan(chain.dimension, chain.beads.size() - 2 * chain.dimension);
}

// A chain under way, and its state on the disk.
class ChainRun {
 public:
  ChainRun(Evaluators& evaluators, Path& chain, const ChainTraining& plan)
      : chain_(chain),
        plan_(plan),
        batches_(evaluators, plan.seed, plan.stream, plan.training.batch_size),
        optimizer_(optimizer_of_chain(plan.training.optimizer), inner_points(chain).size()),
        force_(inner_points(chain).size()) {}

  TrainSummary run(const Stop* stop) {
    restore();
    for (const std::size_t begin = summary_.steps;; ++summary_.steps) {
      const std::size_t step = summary_.steps;
      const bool last = step == plan_.steps;
      const bool due = plan_.look_every > 0 && step > 0 && step % plan_.look_every == 0;
      // A state was kept behind the look of its step.
      if (plan_.look && (last || (due && (step != begin || begin == 0))) &&
          plan_.look(chain_, summary_, kept_by_look_)) {
        summary_.termination = Termination::reached;
        break;
      }
      if (last) {
        break;
      }
      keep_state(stop && stop->requested());
      if (!advance(step)) {
        summary_.termination = Termination::diverged;
        break;
      }
    }
    return summary_;
  }

 private:
  bool advance(std::size_t step) {
    batches_.next();
    summary_.gradient_samples += plan_.force(step, chain_, batches_, force_);
    if (!std::ranges::all_of(force_, [](float number) { return std::isfinite(number); })) {
      return false;
    }
    for (std::size_t i = 0; plan_.training.clip_norm > 0.0 && i < force_.size();
         i += chain_.dimension) {
      const std::span<float> force = std::span(force_).subspan(i, chain_.dimension);
      const auto factor = static_cast<float>(clip_factor(force, plan_.training.clip_norm));
      std::ranges::transform(force, force.begin(), [&](float number) { return factor * number; });
    }
    optimizer_.step(inner_points(chain_), force_, {.scale = plan_.rate(step)});
    return true;
  }

  std::array<std::uint64_t, 4> name() const {
    return {plan_.seed, plan_.stream, chain_.beads.size(), chain_.dimension};
  }

  void restore() {
    const Path start = chain_;
    try {
      std::optional<StateReader> state =
          plan_.checkpoint ? StateReader::open(plan_.checkpoint->file) : std::nullopt;
      if (!state || state->get<std::array<std::uint64_t, 4>>() != name()) {
        return;
      }
      state->get_all(std::span(chain_.beads));
      TrainSummary summary = restore_summary(*state);
      if (summary.steps >= plan_.steps) {
        chain_ = start;
        return;
      }
      optimizer_.restore(*state);
      batches_.restore(*state);
      kept_by_look_ = state->get<std::uint64_t>();
      summary_ = summary;
    } catch (const DataError&) {
      chain_ = start;  // a damaged file: sealed by a checksum, it is not read in part
    }
  }

  void keep_state(bool stops) {
    const std::chrono::duration<double> age = std::chrono::steady_clock::now() - kept_;
    const TrainCheckpoint* checkpoint = plan_.checkpoint ? &*plan_.checkpoint : nullptr;
    const bool due = checkpoint && (checkpoint->steps > 0 ? summary_.steps % checkpoint->steps == 0
                                                          : age.count() >= checkpoint->seconds);
    if (checkpoint && summary_.steps > 0 && (due || stops)) {
      StateWriter state(checkpoint->file);
      state.put(name());
      state.put_all(std::span<const float>(chain_.beads));
      save_summary(state, summary_);
      optimizer_.save(state);
      batches_.save(state);
      state.put(kept_by_look_);
      state.commit();
      kept_ = std::chrono::steady_clock::now();
    }
    if (stops) {
      throw Interrupted("stopped on request: what was finished before is kept");
    }
  }

  Path& chain_;
  const ChainTraining& plan_;
  CommonBatches batches_;
  Optimizer optimizer_;
  std::vector<float> force_;
  TrainSummary summary_{.termination = Termination::budget};
  std::uint64_t kept_by_look_ = 0;
  std::chrono::steady_clock::time_point kept_ = std::chrono::steady_clock::now();
};

// Looks at the theta that was the worst of the last look, counted from 1, and if that reaches the
// target at all others; true if all do. The summary's metric is the largest value seen.
bool all_reach(const GrowingString& string,
               std::span<const float> thetas,
               std::span<double> values,
               TrainSummary& summary,
               std::uint64_t& worst) {
  const StringOptions& options = string.options();
  const std::size_t dimension = thetas.size() / values.size();
  std::vector<Evaluation> found(values.size());
  const auto look_at = [&](std::size_t i, std::size_t worker) {
    found[i] =
        string.evaluators().of(worker).metric_unless_above(options.grid.split,
                                                           options.grid.metric,
                                                           thetas.subspan(i * dimension, dimension),
                                                           options.target());
    values[i] = found[i].value;
  };
  const auto reached = [&](std::uint64_t place) {
    summary.last_metric = values[place - 1];
    return reaches(summary.last_metric, options.target(), options.grid.comparison);
  };
  Workers& workers = string.evaluators().workers();
  const std::uint64_t known = worst;
  if (known > 0) {
    workers.for_each(1, [&](std::size_t, std::size_t worker) { look_at(known - 1, worker); });
  }
  if (known == 0 || reached(known)) {
    workers.for_each(values.size(), [&](std::size_t i, std::size_t worker) {
      if (i + 1 != known) {
        look_at(i, worker);
      }
    });
    worst = 1;
    for (std::size_t i = 1; i < values.size(); ++i) {
      worst = worse(values[i], values[worst - 1]) ? i + 1 : worst;
    }
  }
  for (const Evaluation& one : found) {
    summary.forward_samples += one.samples;
  }
  return reached(worst);
}

Path path_of(const GrowingString& string) {
  Path path{.dimension = string.bead(0).theta.size(), .beads = {}};
  for (std::size_t i = 0; i < string.size(); ++i) {
    path.beads.insert(path.beads.end(), string.bead(i).theta.begin(), string.bead(i).theta.end());
  }
  return path;
}

// Inner beads that the journal does not have, after all have begun.
std::vector<std::size_t> begin_inner(GrowingString& string) {
  std::vector<std::size_t> missing;
  for (std::size_t place = 1; place + 1 < string.size(); ++place) {
    if (!string.begin_training(place)) {
      missing.push_back(place);
    }
  }
  return missing;
}

}  // namespace

CommonBatches::CommonBatches(Evaluators& evaluators,
                             std::uint64_t seed,
                             std::uint64_t stream,
                             std::size_t batch_size)
    : evaluators_(evaluators),
      seed_(seed),
      stream_(stream),
      source_(
          evaluators.objective().batches(seed, stream_name({stream, batch_purpose}), batch_size)) {
}

void CommonBatches::next() {
  batch_ = source_->next();
  ++steps_;
}

// The source's own state is that of the first theta, unless a pass begins: then it is zero.
void CommonBatches::carry_states(std::size_t thetas) {
  const std::size_t size = state_size(*evaluators_.objective().network()) * batch_.streams;
  const std::span<const float> own(batch_.state, size);
  const bool begins = std::ranges::all_of(own, [](float number) { return number == 0.0F; });
  if (begins || states_.size() != thetas * size) {
    states_.assign(thetas * size, 0.0F);
  }
}

std::uint64_t CommonBatches::evaluate(std::span<const float> thetas,
                                      std::span<double> losses,
                                      std::span<float> gradients) {
  const std::size_t count = losses.size();
  const std::size_t dimension = thetas.size() / count;
  const bool carries = batch_.state != nullptr;
  if (carries) {
    carry_states(count);
  }
  if (population_ == 0) {
    evaluators_.workers().for_each(1, [&](std::size_t, std::size_t worker) {
      population_ = evaluators_.of(worker).preferred_population(batch_.count);
    });
  }
  // The population of one call stays as it is however many workers there are.
  const std::size_t share = carries ? 1 : std::min(count, population_);
  evaluators_.workers().for_each(
      (count + share - 1) / share, [&](std::size_t call, std::size_t worker) {
        const std::size_t first = call * share;
        const std::size_t size = std::min(share, count - first);
        BatchView batch = batch_;
        if (carries) {
          batch.state = states_.data() + first * (states_.size() / count);
        }
        Rng dropout(seed_, stream_name({stream_, dropout_purpose, steps_ - 1}));
        evaluators_.of(worker).losses_and_gradients(
            thetas.subspan(first * dimension, size * dimension),
            batch,
            &dropout,
            losses.subspan(first, size),
            gradients.subspan(first * dimension, size * dimension));
      });
  if (carries) {
    std::copy_n(states_.begin(), states_.size() / count, batch_.state);
  }
  return count * batch_.count;
}

void CommonBatches::save(StateWriter& state) const {
  source_->save(state);
  state.put(steps_);
  state.put(states_.size());
  state.put_all(std::span<const float>(states_));
}

void CommonBatches::restore(StateReader& state) {
  source_->restore(state);
  steps_ = state.get<std::uint64_t>();
  states_.resize(state.get<std::size_t>());
  state.get_all(std::span(states_));
}

TrainSummary train_chain(Evaluators& evaluators,
                         Path& chain,
                         const ChainTraining& plan,
                         const Stop* stop) {
  if (!plan.training.weight_decay.empty()) {
    throw UsageError(
        "weight_decay: a chain of beads trains without, expected none; "
        "a penalty of the objective does the same");
  }
  return ChainRun(evaluators, chain, plan).run(stop);
}

void insert_evenly(GrowingString& string, std::size_t count) {
  ISTHMUS_ASSERT(string.size() == 2, "a straight line");
  for (std::size_t i = 0; i < count; ++i) {
    const double t = 1.0 / static_cast<double>(count + 1 - i);
    string.insert(std::array{Cut{.segment = i, .t = t}});
  }
}

bool train_inner_beads(GrowingString& string,
                       ChainTraining plan,
                       const std::function<ChainLook(const Path& chain)>& look,
                       const StringCallbacks& callbacks) {
  const StringOptions& options = string.options();
  const std::size_t inner = string.size() - 2;
  const std::size_t spent = string.ending(Ending::Kind::steps).steps;
  const std::size_t left = options.max_total_steps - std::min(spent, options.max_total_steps);
  const bool whole = left / inner >= plan.steps;
  plan.steps = std::min(plan.steps, left / inner);
  plan.training = options.training;
  plan.seed = options.seed;
  Path chain = path_of(string);
  const std::vector<std::size_t> missing = begin_inner(string);
  if (missing.empty()) {
    return true;  // beads that were cut short are not kept
  }
  const std::size_t first = string.bead(1).number;
  if (callbacks.journal) {
    plan.checkpoint = callbacks.journal->checkpoint(first);
  }
  std::vector<double> values;
  ChainLook seen;
  plan.look = [&](const Path& now, TrainSummary& summary, std::uint64_t& worst) {
    seen = look(now);
    values.resize(seen.thetas.size() / now.dimension);
    const bool done = all_reach(string, seen.thetas, values, summary, worst);
    if (callbacks.progress) {
      callbacks.progress({.kind = StringProgress::Kind::bead_step,
                          .round = string.ending(Ending::Kind::rounds).rounds,
                          .beads = string.size(),
                          .open_segments = string.open_segments().size(),
                          .bead = first,
                          .training = {.job = 0,
                                       .steps = summary.steps,
                                       .metric = summary.last_metric,
                                       .target = options.target()}});
    }
    return done;
  };
  const TrainSummary all = train_chain(string.evaluators(), chain, plan, callbacks.stop);
  const bool cut = !whole && all.termination == Termination::budget;
  for (const std::size_t place : missing) {
    TrainSummary summary = all;
    if (all.termination == Termination::reached) {
      summary.last_metric = values[seen.bead[place - 1]];
    }
    if (place > 1) {
      summary.gradient_samples = summary.forward_samples = 0;  // the first one has them all
    }
    const std::span<const float> theta = chain.bead(place);
    string.end_training(place, {.theta = {theta.begin(), theta.end()}, .summary = summary}, cut);
  }
  if (plan.checkpoint) {
    std::error_code ignored;
    std::filesystem::remove(plan.checkpoint->file, ignored);
  }
  return !cut;
}

Ending out_of_steps(const GrowingString& string) {
  Ending ending = string.ending(Ending::Kind::steps);
  ending.limit = string.options().max_total_steps;
  ending.needed = string.size() - 2;
  return ending;
}

}  // namespace isthmus
