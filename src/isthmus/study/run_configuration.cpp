// SPDX-License-Identifier: MIT
#include "isthmus/study/run_configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "isthmus/core/json.h"
#include "isthmus/core/verdict.h"

namespace isthmus {
namespace {

// The name of a value inside an object.
std::string inside(const std::string& place, const std::string& key) {
  return place.empty() ? key : fmt::format("{}.{}", place, key);
}

void list_differences(const Json& ours,
                      const Json& theirs,
                      const std::string& place,
                      std::vector<std::string>& differences) {
  if (ours == theirs) {
    return;
  }
  if (!ours.is_object() || !theirs.is_object()) {
    differences.push_back(fmt::format("{}: {} there, {} here", place, theirs.dump(), ours.dump()));
    return;
  }
  for (const auto& [key, value] : ours.items()) {
    list_differences(
        value, theirs.contains(key) ? theirs[key] : Json(nullptr), inside(place, key), differences);
  }
  for (const auto& [key, value] : theirs.items()) {
    if (!ours.contains(key)) {
      list_differences(nullptr, value, inside(place, key), differences);
    }
  }
}

// Limits of the work on one string; more of it changes those cells alone that met one.
constexpr std::array<const char*, 6> budgets{"/max_rounds",
                                             "/max_beads",
                                             "/max_total_steps",
                                             "/max_seconds",
                                             "/repair_tries",
                                             "/beads/max_steps"};

// Whether a run gets more of a budget; null stands for no limit.
bool grows(const Json& there, const Json& wanted, const char* budget) {
  const Json::json_pointer place(budget);
  if (!there.contains(place) || !wanted.contains(place) || there[place] == wanted[place]) {
    return false;
  }
  return wanted[place].is_null() ||
         (there[place].is_number() && wanted[place].is_number() && wanted[place] > there[place]);
}

}  // namespace

std::vector<std::string> differences_of(const Json& ours, const Json& theirs) {
  std::vector<std::string> differences;
  list_differences(ours, theirs, "", differences);
  return differences;
}

bool met_a_budget(const Json& cell) {
  const Json& row = cell.at("row");
  return row.at("verdict") == name_of(Verdict::not_connected) || row.at("joined") == "repaired" ||
         cell.at("details").at("beads_unreached") != 0;
}

Json widened(const Json& there, const Json& wanted) {
  Json result = there;
  for (const char* count : {"pairs", "networks"}) {
    if (there.contains(count) && wanted.contains(count) && there[count].is_number_unsigned() &&
        wanted[count] >= there[count]) {
      result[count] = wanted[count];
    }
  }
  const auto is_wanted = [&](const Json& threshold) {
    return std::ranges::find(wanted.at("thresholds"), threshold) != wanted.at("thresholds").end();
  };
  if (there.contains("thresholds") && there["thresholds"].is_array() &&
      std::ranges::all_of(there["thresholds"], is_wanted)) {
    result["thresholds"] = wanted.at("thresholds");
  }
  for (const char* budget : budgets) {
    if (grows(there, wanted, budget)) {
      result[Json::json_pointer(budget)] = wanted[Json::json_pointer(budget)];
    }
  }
  return result;
}

bool budgets_grow(const Json& there, const Json& wanted) {
  return std::ranges::any_of(budgets,
                             [&](const char* budget) { return grows(there, wanted, budget); });
}

bool steps_grow(const Json& there, const Json& wanted) {
  return grows(there, wanted, "/beads/max_steps") || grows(there, wanted, "/max_total_steps");
}

}  // namespace isthmus
