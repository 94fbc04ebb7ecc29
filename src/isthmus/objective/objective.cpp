// SPDX-License-Identifier: MIT
#include "isthmus/objective/objective.h"

namespace isthmus {

Loss loss_of(Metric metric) {
  switch (metric) {
    case Metric::mean_absolute_error:
      return Loss::absolute;
    case Metric::mean_squared_error:
      return Loss::squared;
    case Metric::cross_entropy:
    case Metric::perplexity:
    case Metric::error_rate:
      break;
  }
  return Loss::cross_entropy;
}

}  // namespace isthmus
