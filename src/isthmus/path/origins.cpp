// SPDX-License-Identifier: MIT
#include "isthmus/path/origins.h"

#include <fmt/format.h>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"

namespace isthmus {
namespace {

BeadOrigin origin_from(const Json& json) {
  BeadOrigin origin{.round = json.at(0).get<std::size_t>()};
  if (json.size() > 1) {
    origin.t = json.at(1).get<double>();
    origin.between = {json.at(2).get<std::size_t>(), json.at(3).get<std::size_t>()};
  }
  return origin;
}

// Both were there before it, one on either side.
bool fits(const std::vector<BeadOrigin>& origins, std::size_t place) {
  const BeadOrigin& origin = origins[place];
  if (!origin.between) {
    return true;
  }
  const auto [left, right] = *origin.between;
  return left < place && place < right && right < origins.size() && origin.t >= 0.0 &&
         origin.t <= 1.0 && origins[left].round < origin.round &&
         origins[right].round < origin.round;
}

}  // namespace

std::string to_text(const std::vector<BeadOrigin>& origins) {
  Json list = Json::array();
  for (const BeadOrigin& origin : origins) {
    Json entry = Json::array({origin.round});
    if (origin.between) {
      entry.insert(entry.end(), {origin.t, origin.between->first, origin.between->second});
    }
    list.push_back(std::move(entry));
  }
  return list.dump();
}

std::vector<BeadOrigin> origins_of(const PathFile& path, const std::filesystem::path& file) {
  const auto entry = path.metadata.find("growth");
  if (entry == path.metadata.end()) {
    return {};
  }
  std::vector<BeadOrigin> origins;
  try {
    for (const Json& json : Json::parse(entry->second)) {
      origins.push_back(origin_from(json));
    }
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("{}: metadata 'growth': {}", file.string(), error.what()));
  }
  if (origins.size() != path.path.size()) {
    throw DataError(fmt::format("{}: metadata 'growth': expected {} beads, found {}",
                                file.string(),
                                path.path.size(),
                                origins.size()));
  }
  for (std::size_t i = 0; i < origins.size(); ++i) {
    if (!fits(origins, i)) {
      throw DataError(fmt::format(
          "{}: metadata 'growth': bead {}: expected two older beads, one on either side of it, "
          "found {}",
          file.string(),
          i,
          to_text({origins[i]})));
    }
  }
  return origins;
}

}  // namespace isthmus
