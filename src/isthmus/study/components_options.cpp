// SPDX-License-Identifier: MIT
#include "isthmus/study/components_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "isthmus/core/component_rows.h"
#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/study/study.h"

namespace isthmus {
namespace {

// A graph has a matrix of them.
constexpr std::size_t most_networks = 1000;
constexpr std::size_t most_units = 4096;

constexpr std::string_view widths_range =
    "different whole numbers from 1 to 4096 with commas between";

std::vector<std::size_t> widths_of(std::string_view text) {
  std::vector<std::size_t> widths;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view field = rest.substr(0, rest.find(','));
    std::size_t width = 0;
    const auto read = std::from_chars(field.data(), field.data() + field.size(), width);
    if (read.ec != std::errc() || read.ptr != field.data() + field.size() || width == 0 ||
        width > most_units || std::ranges::find(widths, width) != widths.end() ||
        text.ends_with(',')) {
      refuse_option("widths", widths_range, Json(std::string(text)));
    }
    widths.push_back(width);
    rest.remove_prefix(std::min(rest.size(), field.size() + 1));
  }
  return widths;
}

std::vector<Linear*> hidden_layers(Network& network) {
  std::vector<Linear*> layers;
  for (Layer& layer : network.layers) {
    if (Linear* const linear = std::get_if<Linear>(&layer)) {
      layers.push_back(linear);
    }
  }
  if (!layers.empty()) {
    layers.pop_back();  // the output
  }
  return layers;
}

}  // namespace

std::optional<std::size_t> width_of(Network network) {
  const std::vector<Linear*> layers = hidden_layers(network);
  const bool same = !layers.empty() && std::ranges::all_of(layers, [&](const Linear* layer) {
    return layer->out_features == layers.front()->out_features;
  });
  return is_perceptron(network) && same ? std::optional(layers.front()->out_features)
                                        : std::nullopt;
}

StudyOptions study_of(const ComponentsOptions& options, std::optional<std::size_t> width) {
  StudyOptions study = options.study;
  study.pairs = most_networks * (most_networks - 1) / 2;
  if (width) {
    for (Linear* layer : hidden_layers(study.problem.network)) {
      layer->out_features = *width;
    }
  }
  return study;
}

// clang-format off: one option a line
const OptionTable<ComponentsOptions>& components_option_table() {
  using C = ComponentsOptions;
  static const OptionTable<C> table{
      number_option<C>("networks",
                       [](auto& c) -> auto& { return c.networks; },
                       Range::between(2, most_networks),
                       {.flag = "networks",
                        .help = "Networks, trained from different starts: two or more have pairs",
                        .preset = "10",
                        .group = "Options"}),
      text_option<C>(
          "widths",
          [](const C& c) { return fmt::format("{}", fmt::join(c.widths, ",")); },
          [](C& c, std::string_view text) { c.widths = widths_of(text); },
          widths_range,
          {.flag = "widths",
           .help = "A,B,...: one graph for each, of networks whose hidden layers all "
                   "have that many units (dense networks alone)",
           .preset = "the task's own",
           .group = "Options"}),
  };
  return table;
}
// clang-format on

void ComponentsOptions::validate() const {
  check_options(components_option_table(), *this);
  study_of(*this, std::nullopt).validate();
  const Problem& problem = study.problem;
  if (problem.has_risk() && problem.risk == Risk::empirical) {
    throw UsageError(
        "risk: components are of one loss, and an empirical risk draws a test set for every ten "
        "pairs: use oracle");
  }
  if (study.repair.mode != RepairMode::none) {
    throw UsageError("--repair: components have other networks for their way round: expected none");
  }
  if (study.start != StringStart::line) {
    throw UsageError("--start: strings of components begin from the line");
  }
  if (study.align != EndAlignment::none) {
    throw UsageError("--align: components are those of the networks as they are: expected none");
  }
  if (study.begins_at_random()) {
    throw UsageError("--from-random: components joins networks that stay as they were trained");
  }
  if (study.from || study.to) {
    throw UsageError("components trains its networks: given end points are for `connect`");
  }
  Network network = problem.network;
  if (!widths.empty() && (!is_perceptron(network) || hidden_layers(network).empty())) {
    throw UsageError(fmt::format(
        "widths: expected a task whose hidden layers are all dense (quadratic, cubic, "
        "mnist-mlp, two-gaussians, poor-minimum, permuted-points, or a --network of such "
        "layers), "
        "got {}",
        problem.task));
  }
}

Json run_configuration(const ComponentsOptions& options) {
  Json config = run_configuration(options.study);
  config["format"] = components_format;
  config.erase("pairs");
  put_options(config, std::span(components_option_table()), options);
  return config;
}

}  // namespace isthmus
