// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/core/options.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// The options of a training, in the order of config.json; weight_decay, which is there only where
/// there is one, is in train_flag_table(); metric and split are those of a string's grid.
const OptionTable<TrainOptions>& train_option_table();

/// What config.json has elsewhere: the learning rate, in the optimizer's object, and weight_decay.
const OptionTable<TrainOptions>& train_flag_table();

/// KIND[:EVERY[:FACTOR]][ from step HOLD], e.g. "staircase:1000:0.5".
std::string text_of(const Schedule& schedule);
/// Throws UsageError.
Schedule schedule_of(std::string_view text);

}  // namespace isthmus
