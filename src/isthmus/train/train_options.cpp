// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <cmath>
#include <string_view>

#include "isthmus/core/error.h"
#include "isthmus/train/option_table.h"
#include "isthmus/train/train.h"

namespace isthmus {
namespace {

template <typename Value>
[[noreturn]] void refuse(std::string_view option, std::string_view range, const Value& value) {
  const bool finite = std::isfinite(static_cast<double>(value));
  throw UsageError(fmt::format(
      "{}: expected a {}value {}, got {}", option, finite ? "" : "finite ", range, value));
}

void validate(const Schedule& schedule) {
  if (schedule.kind == Schedule::Kind::constant) {
    return;
  }
  if (!(schedule.every > 0.0) || !std::isfinite(schedule.every)) {
    refuse("schedule every", "> 0", schedule.every);
  }
  if (!(schedule.hold >= 0.0) || !std::isfinite(schedule.hold)) {
    refuse("schedule hold", ">= 0", schedule.hold);
  }
  if (!(schedule.factor > 0.0) || !std::isfinite(schedule.factor)) {
    refuse("schedule factor", "> 0", schedule.factor);
  }
}

}  // namespace

void TrainOptions::validate() const {
  isthmus::validate(schedule);
  check_options(train_option_table(), *this);
  for (const WeightDecay& decay : weight_decay) {
    if (!(decay.strength >= 0.0) || !std::isfinite(decay.strength)) {
      refuse("weight_decay of " + decay.tensor, ">= 0", decay.strength);
    }
  }
  if (!(average >= 0.0 && average < 1.0)) {
    refuse("average", "in [0, 1)", average);
  }
  if (!(importance >= 0.0 && importance < 1.0)) {
    refuse("importance", "in [0, 1)", importance);
  }
  if (importance > 0.0 && batch_size == 0) {
    refuse("importance", "0 with full batches (batch_size 0)", importance);
  }
  if (!(damping >= 0.0 && damping <= 1.0)) {
    refuse("damping", "in [0, 1]", damping);
  }
  if (damping > 0.0 && !std::holds_alternative<Sgd>(optimizer)) {
    throw UsageError(fmt::format(
        "damping: expected 0 with an optimizer that is not sgd or momentum, got {}", damping));
  }
  if (average > 0.0 && loss_window > 0) {
    throw UsageError(fmt::format(
        "average: expected 0 with a loss_window, whose mean loss is not that of an average, got {} "
        "and a loss_window of {} steps",
        average,
        loss_window));
  }
  if (!(divergence_factor >= 0.0) || !std::isfinite(divergence_factor)) {
    refuse("divergence_factor", ">= 0", divergence_factor);
  }
}

}  // namespace isthmus
