// SPDX-License-Identifier: MIT
#include "isthmus/study/theory_problem.h"

#include <fmt/format.h>

#include <optional>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"

namespace isthmus {
namespace {

// Layers in the order that the theorems know: linear, ReLU, linear, ReLU, ..., linear.
class PerceptronReader {
 public:
  explicit PerceptronReader(const Network& network) : network_(network) {
    result_.widths.push_back(size_of(network.input));
  }

  Perceptron read() {
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      const Layer& layer = network_.layers[i];
      if (std::holds_alternative<Dropout>(layer) ||
          (std::holds_alternative<Flatten>(layer) && result_.widths.size() == 1)) {
        continue;
      }
      if (const auto* linear = std::get_if<Linear>(&layer); linear && !after_linear_) {
        add(*linear, i);
      } else if (const auto* unit = std::get_if<Activation>(&layer); unit && after_linear_) {
        if (unit->kind != Activation::Kind::relu) {
          refuse(i, fmt::format("its activation is {}, not relu", name_of(unit->kind)));
        }
        after_linear_ = false;
      } else {
        refuse(i, "it is none of linear, relu, linear, ..., in turns");
      }
    }
    if (!after_linear_ || result_.widths.size() < 2) {
      refuse(network_.layers.size(), "the last layer is not linear");
    }
    return result_;
  }

 private:
  void add(const Linear& linear, std::size_t i) {
    if (linear.tied || (biases_ && *biases_ != linear.bias)) {
      refuse(i, "expected biases in every linear layer, or in none");
    }
    biases_ = linear.bias;
    result_.biases = linear.bias;
    result_.widths.push_back(linear.out_features);
    after_linear_ = true;
  }

  [[noreturn]] static void refuse(std::size_t i, const std::string& why) {
    throw UsageError(fmt::format(
        "network, layer {}: {}. The theorems are about perceptrons of ReLU layers: linear, relu, "
        "..., linear, behind a flatten where the inputs are images",
        i,
        why));
  }

  const Network& network_;
  Perceptron result_;
  std::optional<bool> biases_;
  bool after_linear_ = false;
};

}  // namespace

Perceptron perceptron_of(const Network& network) {
  return PerceptronReader(network).read();
}

std::vector<double> inputs_of(const Samples& samples) {
  const std::size_t features = samples.features();
  std::vector<float> one(features);
  std::vector<double> inputs;
  inputs.reserve(samples.count * features);
  for (std::size_t i = 0; i < samples.count; ++i) {
    samples.copy_input(i, one.data());
    inputs.insert(inputs.end(), one.begin(), one.end());
  }
  return inputs;
}

std::vector<double> targets_of(const Samples& samples, std::size_t outputs) {
  if (samples.labels.empty()) {
    return {samples.targets.begin(), samples.targets.end()};
  }
  std::vector<double> targets(samples.count * outputs, 0.0);
  for (std::size_t i = 0; i < samples.count; ++i) {
    targets[i * outputs + static_cast<std::size_t>(samples.labels[i])] = 1.0;
  }
  return targets;
}

ReluProblem relu_problem(const Objective& objective, Split split, double kappa) {
  const Perceptron perceptron = perceptron_of(*objective.network());
  if (perceptron.widths.size() != 3) {
    throw UsageError(fmt::format("network: Theorem 2.4 is about one hidden layer, got {}",
                                 perceptron.widths.size() - 2));
  }
  const Samples& samples = *objective.data(split);
  ReluProblem problem{.network = {.inputs = perceptron.widths[0],
                                  .hidden = perceptron.widths[1],
                                  .outputs = perceptron.widths[2],
                                  .biases = perceptron.biases},
                      .inputs = {},
                      .targets = std::vector<double>(perceptron.widths[2]),
                      .kappa = kappa};
  check_sizes(problem.network, samples.count);
  problem.inputs = inputs_of(samples);
  problem.targets = targets_of(samples, problem.network.outputs);
  validate(problem);
  return problem;
}

std::map<std::string, std::string> path_metadata(const Problem& problem,
                                                 double threshold,
                                                 Metric metric,
                                                 Split split) {
  return {{"task", problem.task},
          {"threshold", format_number(threshold)},
          {"tolerance", "1"},
          {"metric", std::string(name_of(metric))},
          {"split", std::string(name_of(split))},
          {"points", "101"},
          {"include_end", "true"},
          {"network", to_json(problem.network).dump()},
          {"problem", to_json(problem).dump()}};
}

}  // namespace isthmus
