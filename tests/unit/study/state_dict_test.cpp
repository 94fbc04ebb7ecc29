// SPDX-License-Identifier: MIT
#include "isthmus/study/state_dict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;

using Shapes = std::vector<std::pair<std::string, Shape>>;

// As a file lists them: in the order given.
std::vector<TensorInfo> tensors_of(const Shapes& shapes, const std::string& dtype = "F32") {
  std::vector<TensorInfo> tensors;
  std::uint64_t offset = 0;
  for (const auto& [name, shape] : shapes) {
    TensorInfo info{.name = name, .dtype = dtype, .shape = shape, .begin = offset};
    offset += 4 * info.size();
    info.end = offset;
    tensors.push_back(info);
  }
  return tensors;
}

// The names in the file, in the order of the network's layout; "+" before a second tensor.
std::vector<std::string> names_of(const StateDict& match) {
  std::vector<std::string> names;
  for (const TensorSource& source : match.sources) {
    names.push_back(source.name + (source.second.empty() ? "" : "+" + source.second));
  }
  return names;
}

// 4 - 3 - 3 - 3 - 2: two layers of equal shapes.
Network perceptron() {
  const Activation relu{Activation::Kind::relu};
  return {.input = {4},
          .layers = {Linear{.out_features = 3},
                     relu,
                     Linear{.out_features = 3},
                     relu,
                     Linear{.out_features = 3},
                     relu,
                     Linear{.out_features = 2}}};
}

// The tensors of that perceptron, its layers named, as safetensors.torch.save_file sorts them, or
// as PyTorch has them.
Shapes perceptron_tensors(const std::vector<std::string>& modules, bool sorted) {
  const std::vector<Shape> weights{{3, 4}, {3, 3}, {3, 3}, {2, 3}};
  Shapes shapes;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    shapes.push_back({modules[i] + ".weight", weights[i]});
    shapes.push_back({modules[i] + ".bias", {weights[i][0]}});
  }
  if (sorted) {
    std::ranges::sort(shapes);
  }
  return shapes;
}

std::vector<std::string> match_perceptron(const std::vector<std::string>& modules, bool sorted) {
  return names_of(match_state_dict(tensors_of(perceptron_tensors(modules, sorted)), perceptron()));
}

std::vector<std::string> parameters_of(const std::vector<std::string>& modules) {
  std::vector<std::string> names;
  for (const std::string& module : modules) {
    names.insert(names.end(), {module + ".weight", module + ".bias"});
  }
  return names;
}

TEST(StateDict, NamesOfTheNetworkBehindAnyPrefix) {
  for (const std::string prefix :
       {"", "_orig_mod.", "module.", "model.", "_orig_mod.module.net.", "0.", "2."}) {
    std::vector<std::string> modules;
    for (const char* index : {"0", "2", "4", "6"}) {
      modules.push_back(prefix + index);
    }
    const StateDict match =
        match_state_dict(tensors_of(perceptron_tensors(modules, true)), perceptron());
    EXPECT_EQ(names_of(match), parameters_of(modules));
    EXPECT_EQ(match.notes.size(), prefix.empty() ? 0U : 1U);
    for (const std::string& note : match.notes) {
      EXPECT_NE(note.find("'" + prefix + "'"), std::string::npos) << note;
    }
  }
}

TEST(StateDict, OtherNamesInTheOrderOfTheirNumbers) {
  for (const auto& modules :
       std::vector<std::vector<std::string>>{{"fc1", "fc2", "fc10", "out"},
                                             {"0", "1", "2", "3"},
                                             {"1", "2", "4", "6"},
                                             {"a.in", "h.9", "h.10", "a.out"},
                                             {"b.0.f.0", "b.0.f.1", "b.1.f.0", "z"}}) {
    EXPECT_EQ(match_perceptron(modules, true), parameters_of(modules));
    EXPECT_EQ(match_perceptron(modules, false), parameters_of(modules));
  }
}

TEST(StateDict, OtherNamesInTheOrderOfAFileThatIsNotSorted) {
  const std::vector<std::string> modules{"in", "encoder", "decoder", "out"};
  EXPECT_EQ(match_perceptron(modules, false), parameters_of(modules));
  // Sorted by name, the file says nothing of which comes first.
  expect_error<DataError>([&] { match_perceptron(modules, true); },
                          {"which layers decoder, encoder are cannot be told", "2.weight (3, 3)"});
  // Neither does an order that is not the network's.
  Shapes shapes = perceptron_tensors(modules, false);
  std::rotate(shapes.begin(), shapes.end() - 2, shapes.end());
  expect_error<DataError>([&] { match_state_dict(tensors_of(shapes), perceptron()); },
                          {"cannot be told"});
  // Files of several types are sorted within each.
  std::vector<TensorInfo> mixed = tensors_of(perceptron_tensors(modules, true));
  std::stable_partition(
      mixed.begin(), mixed.end(), [](const TensorInfo& info) { return info.name[0] == 'i'; });
  for (TensorInfo& info : mixed) {
    info.dtype = info.name[0] == 'i' ? "F64" : "F32";
  }
  expect_error<DataError>([&] { match_state_dict(mixed, perceptron()); }, {"cannot be told"});
}

TEST(StateDict, NumbersThatContradictTheShapesAreNotFollowed) {
  expect_error<DataError>(
      [&] {
        match_perceptron({"fc4", "fc3", "fc2", "fc1"}, true);
      },
      {"which layers", "cannot be told"});
}

TEST(StateDict, TensorsWithoutModules) {
  const std::vector<std::string> names{"W0", "b0", "W1", "b1", "W2", "b2", "W3", "b3"};
  const Shapes shapes = perceptron_tensors({"0", "2", "4", "6"}, false);
  Shapes renamed;
  for (std::size_t i = 0; i < names.size(); ++i) {
    renamed.push_back({names[i], shapes[i].second});
  }
  std::ranges::sort(renamed);
  EXPECT_EQ(names_of(match_state_dict(tensors_of(renamed), perceptron())), names);
}

TEST(StateDict, WhatDoesNotFitIsNamedBehindThePrefix) {
  Shapes shapes = perceptron_tensors({"model.0", "model.2", "model.4", "model.6"}, true);
  shapes.push_back({"metric.total", {1}});
  expect_error<DataError>(
      [&] { match_state_dict(tensors_of(shapes), perceptron()); },
      {"behind the prefix 'model.'", "tensor metric.total of shape (1) is not"});
  shapes.pop_back();
  shapes[1].second = {4, 3};
  expect_error<DataError>([&] { match_state_dict(tensors_of(shapes), perceptron()); },
                          {"tensor 0.weight: expected shape (3, 4), found (4, 3) (transposed"});
  expect_error<DataError>(
      [] {
        match_state_dict(tensors_of(perceptron_tensors({"0", "2", "4", "6"}, true), "F8_E4M3"),
                         perceptron());
      },
      {"0.weight is F8_E4M3", "F32, F16, BF16 or F64"});
  expect_error<DataError>([] { match_state_dict({}, perceptron()); }, {"0.weight", "is missing"});
}

// A language model of five words: an embedding, two lstm layers, a last layer.
Network recurrent(bool tied) {
  return {.input = {1},
          .layers = {Embedding{.tokens = 5, .features = 3},
                     Lstm{.features = 3},
                     Dropout{},
                     Lstm{.features = 3},
                     Linear{.out_features = 5, .tied = tied}}};
}

// The tensors of a torch.nn.LSTM of two layers with `gates` gates.
Shapes recurrent_tensors(const std::string& module, std::size_t gates) {
  Shapes shapes;
  for (const std::string layer : {"_l0", "_l1"}) {
    shapes.push_back({module + ".weight_ih" + layer, {gates * 3, 3}});
    shapes.push_back({module + ".weight_hh" + layer, {gates * 3, 3}});
    shapes.push_back({module + ".bias_ih" + layer, {gates * 3}});
    shapes.push_back({module + ".bias_hh" + layer, {gates * 3}});
  }
  return shapes;
}

TEST(StateDict, LayersOfAnLstmAreTheLstmsOfTheNetwork) {
  const std::vector<std::string> layers{"rnn.weight_ih_l0",
                                        "rnn.weight_hh_l0",
                                        "rnn.bias_ih_l0+rnn.bias_hh_l0",
                                        "rnn.weight_ih_l1",
                                        "rnn.weight_hh_l1",
                                        "rnn.bias_ih_l1+rnn.bias_hh_l1"};
  for (const bool tied : {false, true}) {
    Shapes shapes = recurrent_tensors("rnn", 4);
    shapes.insert(shapes.end(),
                  {{"words.weight", {5, 3}}, {"out.bias", {5}}, {"out.weight", {5, 3}}});
    std::ranges::sort(shapes);
    const StateDict match = match_state_dict(tensors_of(shapes), recurrent(tied));
    std::vector<std::string> expected = layers;
    expected.insert(expected.begin(), tied ? "out.weight" : "words.weight");
    if (!tied) {
      expected.push_back("out.weight");
    }
    expected.push_back("out.bias");
    EXPECT_EQ(names_of(match), expected);
    EXPECT_EQ(match.tied.has_value(), tied);
  }
  // Once, under either name.
  for (const std::string name : {"words.weight", "out.weight"}) {
    Shapes shapes = recurrent_tensors("rnn", 4);
    shapes.insert(shapes.end(), {{name, {5, 3}}, {"out.bias", {5}}});
    const StateDict match = match_state_dict(tensors_of(shapes), recurrent(true));
    EXPECT_EQ(match.sources.front().name, name);
    EXPECT_FALSE(match.tied);
  }
}

TEST(StateDict, OtherRecurrentLayersAreNamed) {
  const auto refuse = [](const Shapes& rnn, std::string_view part) {
    Shapes shapes = rnn;
    shapes.insert(shapes.end(),
                  {{"words.weight", {5, 3}}, {"out.bias", {5}}, {"out.weight", {5, 3}}});
    expect_error<DataError>([&] { match_state_dict(tensors_of(shapes), recurrent(false)); },
                            {part});
  };
  refuse(recurrent_tensors("rnn", 3), "GRU");
  refuse(recurrent_tensors("rnn", 1), "RNN");
  Shapes shapes = recurrent_tensors("rnn", 4);
  shapes.push_back({"rnn.weight_ih_l0_reverse", {12, 3}});
  refuse(shapes, "both directions");
  shapes.back() = {"rnn.weight_hr_l0", {2, 3}};
  refuse(shapes, "projection");
  shapes.pop_back();
  std::erase_if(shapes, [](const auto& one) { return one.first.starts_with("rnn.bias"); });
  refuse(shapes, "bias=False");
}

}  // namespace
}  // namespace isthmus
