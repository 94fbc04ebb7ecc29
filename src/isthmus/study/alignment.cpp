// SPDX-License-Identifier: MIT
#include "isthmus/study/alignment.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/symmetry/match.h"
#include "isthmus/net/symmetry/recognise.h"
#include "isthmus/path/path.h"

namespace isthmus {
namespace {

// Batches in a row: samples of images, or windows that follow one another in a text.
Matching match_on_data(const Objective& objective,
                       std::span<const float> a,
                       std::span<const float> b,
                       const AlignOptions& options,
                       const Stop* stop) {
  if (options.samples == 0) {
    throw UsageError("samples: expected at least 1, got 0");
  }
  const std::size_t wanted = std::min(options.samples, objective.samples(Split::train));
  const bool all = wanted == objective.samples(Split::train);
  const Samples* const data = objective.data(Split::train);
  const std::size_t window =
      data != nullptr && data->streams > 0 ? data->streams * data->window : 0;
  const std::size_t size = window > 0 ? window : all ? 0 : wanted;
  const std::unique_ptr<BatchSource> source =
      objective.batches(options.seed, stream_name({0x616c69676eU}), size);
  BatchView batch = source->next();
  std::vector<float> inputs;
  std::size_t count = 0;
  std::size_t features = 1;
  for (const std::size_t extent : objective.network()->input) {
    features *= extent;
  }
  while (true) {
    inputs.insert(inputs.end(), batch.inputs, batch.inputs + batch.count * features);
    count += batch.count;
    if (count >= wanted) {
      break;
    }
    batch = source->next();
  }
  return match_activations(*objective.network(),
                           a,
                           b,
                           {.count = count, .inputs = inputs.data(), .streams = batch.streams},
                           stop);
}

}  // namespace

Json to_json(const SymmetryExtent& extent) {
  return {{"moved", extent.moved},
          {"flipped", extent.flipped},
          {"least_factor", extent.least_factor},
          {"largest_factor", extent.largest_factor}};
}

Json to_json(const Alignment& alignment) {
  Json json{{"distance_before", alignment.distance_before},
            {"distance", alignment.distance},
            {"twins", alignment.twins}};
  json.update(to_json(extent_of(alignment.symmetry)));
  return json;
}

Alignment align(const Objective& objective,
                std::span<const float> a,
                std::span<const float> b,
                const AlignOptions& options,
                const Stop* stop) {
  if (objective.network() == nullptr) {
    throw UsageError("alignment: only networks have units that could change places");
  }
  const SymmetryGroup group = symmetries_of(*objective.network());
  if (group.dimensions.empty()) {
    throw UsageError("alignment: the network has no hidden units that could change places");
  }
  Alignment result{.theta = {b.begin(), b.end()}};
  const auto from_a = [&] { return distance(a, result.theta, group.layout, Coordinates::all); };
  result.distance_before = from_a();
  Recognition twins = recognise(group, b, a);
  result.twins = twins.equal;
  if (twins.equal) {
    result.symmetry = std::move(twins.symmetry);
  } else if (options.method == AlignMethod::weights) {
    result.symmetry =
        match_weights(group, a, b, {.seed = options.seed, .restarts = options.restarts}, stop)
            .symmetry;
  } else {
    result.symmetry = match_on_data(objective, a, b, options, stop).symmetry;
  }
  apply(group, result.symmetry, result.theta);
  result.distance = from_a();
  return result;
}

}  // namespace isthmus
