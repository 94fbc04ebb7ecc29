// SPDX-License-Identifier: MIT
#include "isthmus/core/verdict.h"

#include <array>

namespace isthmus {

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::connected:
      return "connected";
    case Verdict::not_connected:
      return "not_connected";
    case Verdict::endpoint_not_reached:
      return "endpoint_not_reached";
  }
  return "";
}

std::optional<Verdict> verdict_of(std::string_view name) {
  constexpr std::array all{
      Verdict::connected, Verdict::not_connected, Verdict::endpoint_not_reached};
  for (const Verdict verdict : all) {
    if (name == name_of(verdict)) {
      return verdict;
    }
  }
  return std::nullopt;
}

}  // namespace isthmus
