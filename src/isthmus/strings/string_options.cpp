// SPDX-License-Identifier: MIT
#include "isthmus/strings/string_options.h"

#include "isthmus/strings/option_table.h"

namespace isthmus {

void StringOptions::validate() const {
  if (!Range::positive().holds(threshold)) {
    refuse_option("threshold", Range::positive().text(false), threshold);
  }
  check_options(string_option_table(), *this);
  grid.validate();
  training.validate();
}

}  // namespace isthmus
