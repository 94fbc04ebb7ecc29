// SPDX-License-Identifier: MIT
#include "isthmus/study/problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/data/generated.h"
#include "isthmus/data/locations.h"
#include "isthmus/data/text.h"
#include "isthmus/data/token_streams.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/objective/penalty.h"

namespace isthmus {
namespace {

constexpr std::string_view two_gaussians = "two-gaussians";
constexpr std::string_view poor_minimum = "poor-minimum";
constexpr std::string_view permuted_points = "permuted-points";

// The data as the problem's network sees them.
Dataset read_data(const Problem& problem, const std::filesystem::path& folder) {
  if (problem.is_text()) {
    return window_dataset(load_ptb(folder), problem.streams, problem.window);
  }
  Dataset data = load_dataset(folder, problem.data);
  if (problem.normalise) {
    const Shape& shape = data.train.input_shape;
    data.train.byte_values = byte_values(*problem.normalise, shape.size() == 3 ? shape[0] : 1);
    data.test.byte_values = data.train.byte_values;
  }
  return data;
}

}  // namespace

bool Problem::generated() const {
  return has_risk() || has_covariance() || data == permuted_points;
}

bool Problem::has_covariance() const {
  return data == two_gaussians || data == poor_minimum;
}

bool Problem::is_text() const {
  return data == "ptb";
}

bool Problem::has_risk() const {
  return find_named<Polynomial>(data).has_value();
}

Json to_json(const Problem& problem) {
  Json json{{"task", problem.task}, {"data", problem.data}, {"loss", name_of(problem.loss)}};
  if (problem.has_covariance()) {
    json["covariance"] = problem.covariance;
    json["samples"] = problem.risk_points;
    json["samples_seed"] = problem.test_seed;
  } else if (problem.data == permuted_points) {
    json["points"] = problem.points;
  } else if (problem.has_risk()) {
    json["risk"] = name_of(problem.risk);
    json["risk_points"] = problem.risk_points;
    if (problem.risk == Risk::empirical) {
      json["test_seed"] = problem.test_seed;
      json["test_stream"] = problem.test_stream;
    }
  }
  if (problem.augment) {
    json["augment"] = {{"crop", problem.augment->crop},
                       {"flip", problem.augment->flip},
                       {"brightness", problem.augment->brightness},
                       {"contrast_least", problem.augment->contrast_least},
                       {"contrast_most", problem.augment->contrast_most}};
  }
  if (problem.normalise) {
    json["normalise"] = {{"mean", problem.normalise->mean},
                         {"deviation", problem.normalise->deviation}};
  }
  if (problem.is_text()) {
    json["streams"] = problem.streams;
    json["window"] = problem.window;
    json["carry_state"] = problem.carry_state;
  }
  if (problem.penalty.any()) {
    json["penalty"] = text_of(problem.penalty);
  }
  json["network"] = to_json(problem.network);
  return json;
}

Problem problem_from_json(const Json& json) {
  try {
    Problem problem;
    problem.task = json.at("task").get<std::string>();
    problem.data = json.at("data").get<std::string>();
    problem.loss = named<Loss>(json.at("loss").get<std::string>());
    if (json.contains("penalty")) {
      problem.penalty = penalty_of(json.at("penalty").get<std::string>());
    }
    problem.network = network_from_json(json.at("network"));
    if (problem.has_covariance()) {
      problem.covariance = json.at("covariance").get<double>();
      problem.risk_points = json.at("samples").get<std::size_t>();
      problem.test_seed = json.at("samples_seed").get<std::uint64_t>();
    } else if (problem.data == permuted_points) {
      problem.points = json.at("points").get<Points>();
    } else if (problem.has_risk()) {
      problem.risk = named<Risk>(json.at("risk").get<std::string>());
      problem.risk_points = json.at("risk_points").get<std::size_t>();
      if (problem.risk == Risk::empirical) {
        problem.test_seed = json.at("test_seed").get<std::uint64_t>();
        problem.test_stream = json.at("test_stream").get<std::uint64_t>();
      }
    }
    if (json.contains("augment")) {
      const Json& augment = json.at("augment");
      problem.augment = {.crop = augment.at("crop").get<std::size_t>(),
                         .flip = augment.at("flip").get<bool>(),
                         .brightness = augment.at("brightness").get<double>(),
                         .contrast_least = augment.at("contrast_least").get<double>(),
                         .contrast_most = augment.at("contrast_most").get<double>()};
    }
    if (json.contains("normalise")) {
      const Json& normalise = json.at("normalise");
      problem.normalise = {.mean = normalise.at("mean").get<std::vector<double>>(),
                           .deviation = normalise.at("deviation").get<std::vector<double>>()};
      validate(*problem.normalise);
    }
    if (problem.is_text()) {
      problem.streams = json.at("streams").get<std::size_t>();
      problem.window = json.at("window").get<std::size_t>();
      problem.carry_state = json.at("carry_state").get<bool>();
    }
    return problem;
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("problem: a field is missing or malformed ({})", error.what()));
  } catch (const UsageError& error) {
    throw DataError(fmt::format("problem: {}", error.what()));
  }
}

std::shared_ptr<const Dataset> load_data(const Problem& problem,
                                         const std::optional<std::filesystem::path>& data_folder) {
  if (problem.normalise && (problem.generated() || problem.is_text() || problem.augment)) {
    throw UsageError(fmt::format(
        "normalise: expected a task whose inputs are images of bytes that nothing else is done to, "
        "got {}",
        problem.task));
  }
  if (problem.generated()) {
    return nullptr;
  }
  const std::filesystem::path folder = find_dataset(problem.data, data_folder);
  auto data = std::make_shared<const Dataset>(read_data(problem, folder));
  const std::size_t outputs = output_size(problem.network);
  const Shape seen = problem.augment
                         ? Augmentation(data->train.input_shape, *problem.augment).output_shape()
                         : data->train.input_shape;
  if (problem.network.input != seen) {
    throw UsageError(
        fmt::format("network: its input is ({}), the samples of {} are ({}): change \"input\"",
                    fmt::join(problem.network.input, ", "),
                    problem.data,
                    fmt::join(seen, ", ")));
  }
  if (outputs != data->classes) {
    const auto& labels = data->train.labels;
    throw UsageError(fmt::format(
        "network: it has {} outputs, {} has {} classes (labels from {} to {}): change the last "
        "layer's out_features",
        outputs,
        problem.data,
        data->classes,
        *std::min_element(labels.begin(), labels.end()),
        *std::max_element(labels.begin(), labels.end())));
  }
  return data;
}

std::unique_ptr<Objective> make_objective(const Problem& problem,
                                          std::shared_ptr<const Dataset> data) {
  NetworkObjectiveOptions options;
  options.network = problem.network;
  options.loss = problem.loss;
  options.penalty = problem.penalty;
  if (!problem.generated()) {
    options.data = std::move(data);
    options.augment = problem.augment;
    options.carry_state = problem.carry_state;
    return make_network_objective(options);
  }
  const std::optional<Polynomial> polynomial = find_named<Polynomial>(problem.data);
  auto generated = std::make_shared<Dataset>();
  generated->name = problem.data;
  if (!polynomial) {
    const auto samples =
        problem.data == poor_minimum ? poor_minimum_samples : two_gaussians_samples;
    generated->train = problem.has_covariance()
                           ? samples(problem.covariance, problem.risk_points, problem.test_seed)
                           : permuted_points_samples(problem.points);
    generated->test = generated->train;
  } else if (problem.risk == Risk::oracle) {
    generated->train = midpoint_samples(*polynomial, problem.risk_points);
    generated->test = generated->train;
  } else {
    generated->test =
        random_samples(*polynomial, problem.risk_points, problem.test_seed, problem.test_stream);
    generated->train = generated->test;
    const std::size_t points = problem.risk_points;
    options.draw_training_set = [task = *polynomial, points](std::uint64_t seed,
                                                             std::uint64_t stream) {
      return random_samples(task, points, seed, stream);
    };
  }
  options.data = std::move(generated);
  return make_network_objective(options);
}

}  // namespace isthmus
