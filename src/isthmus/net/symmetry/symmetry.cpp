// SPDX-License-Identifier: MIT
#include "isthmus/net/symmetry/symmetry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <variant>

#include "isthmus/core/error.h"
#include "isthmus/net/symmetry/units.h"

namespace isthmus {
namespace {

using Action = UnitAxis::Action;

std::size_t tensor_of(const Layout& layout, std::size_t layer, const char* name) {
  const std::string full = fmt::format("{}.{}", layer, name);
  const auto& tensors = layout.tensors();
  const auto found =
      std::ranges::find_if(tensors, [&](const Tensor& tensor) { return tensor.name == full; });
  ISTHMUS_ASSERT(found != tensors.end(), "a layer's tensors have its names");
  return static_cast<std::size_t>(found - tensors.begin());
}

// Walks along the layers with the dimension that is being carried, and closes it at its reader.
class Walk {
 public:
  explicit Walk(const Network& network) : shapes_(shapes(network)) {
    group_.layout = layout_of(network);
    open_ = fixed(0);  // the input
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      at_ = i;
      std::visit([this](const auto& layer) { pass(layer); }, network.layers[i]);
    }
    std::erase_if(group_.dimensions, [](const auto& dimension) { return !dimension.any(); });
  }

  SymmetryGroup take() { return std::move(group_); }

 private:
  void pass(const Linear& linear) {
    if (linear.tied) {
      close_tied(linear.bias);
      open_ = fixed(linear.out_features);
      return;
    }
    read(tensor("weight"), linear.bias ? "bias" : nullptr);
    open(linear.out_features);
    open_.axes.push_back({.tensor = tensor("weight")});
    if (linear.bias) {
      open_.axes.push_back({.tensor = tensor("bias")});
    }
  }

  void pass(const Conv2d& conv) {
    const Shape& in = shapes_[at_];
    const Shape& out = shapes_[at_ + 1];
    const bool zeros = std::max((out[1] - 1) * conv.stride + conv.kernel, in[1]) != in[1] ||
                       std::max((out[2] - 1) * conv.stride + conv.kernel, in[2]) != in[2];
    read(tensor("weight"), conv.bias && !zeros ? "bias" : nullptr);
    open(conv.out_channels);
    open_.axes.push_back({.tensor = tensor("weight")});
    if (conv.bias) {
      open_.axes.push_back({.tensor = tensor("bias")});
    }
  }

  void pass(const Embedding& embedding) {
    open(embedding.features);
    open_.axes.push_back({.tensor = tensor("weight"), .axis = 1});
  }

  void pass(const Lstm& lstm) {
    read(tensor("weight_ih_l0"), "bias_ih_l0");
    open(lstm.features);
    open_.positive = false;
    constexpr std::size_t gates = 4;
    constexpr std::size_t candidate = 2;  // i, f, g, o
    for (const char* name : {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0"}) {
      for (std::size_t gate = 0; gate < gates; ++gate) {
        open_.axes.push_back({.tensor = tensor(name),
                              .first = gate * lstm.features,
                              .action = gate == candidate ? Action::times : Action::none});
      }
    }
    open_.axes.push_back({.tensor = tensor("weight_hh_l0"), .axis = 1, .action = Action::over});
  }

  void pass(const Activation& activation) {
    using Kind = Activation::Kind;
    switch (activation.kind) {
      case Kind::relu:
        open_.sign = false;
        break;
      case Kind::tanh:
        open_.positive = false;
        open_.sign = open_.sign && !one_minus_;
        break;
      case Kind::sigmoid:
        open_.positive = false;
        open_.sign = open_.sign && !one_minus_;
        one_minus_ = true;
        break;
      case Kind::softmax:
        open_.positive = open_.sign = false;
        break;
    }
  }

  void pass(const Pool2d& pool) {
    if (pool.kind == Pool2d::Kind::max) {
      open_.sign = false;
    }
  }

  void pass(const LocalResponseNorm& norm) {
    const std::size_t reach = norm.size / 2;
    open_.permutable = open_.permutable && (reach == 0 || reach + 1 >= open_.units);
    open_.positive = false;
    open_.sign = open_.sign && !one_minus_;
  }

  void pass(const Dropout&) {}
  void pass(const Flatten&) {}

  std::size_t tensor(const char* name) const { return tensor_of(group_.layout, at_, name); }

  static HiddenDimension fixed(std::size_t units) {
    return {.units = units, .permutable = false, .positive = false, .sign = false};
  }

  void open(std::size_t units) {
    open_ = {.name = std::to_string(at_), .layer = at_, .units = units};
    one_minus_ = false;
  }

  // What a layer's weight does to the open dimension; `bias` is where a 1 may be folded into.
  void fold(const UnitAxis& weight, const char* bias) {
    if (one_minus_ && open_.sign && bias != nullptr) {
      open_.folds.push_back({.weight = weight, .bias = tensor(bias)});
    } else if (one_minus_) {
      open_.sign = false;
    }
    open_.reader = at_;
  }

  void read(std::size_t weight, const char* bias) {
    if (!open_.any()) {
      return;
    }
    const UnitAxis axis{.tensor = weight,
                        .axis = 1,
                        .block = group_.layout.tensors()[weight].shape[1] / open_.units,
                        .action = Action::over};
    fold(axis, bias);
    open_.axes.push_back(axis);
    group_.dimensions.push_back(std::move(open_));
  }

  // The reader's weight is the embedding's, whose features are a dimension already, or the open
  // one. Both move together, and a factor and its inverse must be the same.
  void close_tied(bool bias) {
    fold({.tensor = 0, .axis = 1, .action = Action::over}, bias ? "bias" : nullptr);
    open_.positive = false;
    const auto first = group_.dimensions.begin();
    if (first == group_.dimensions.end() || first->axes.front().tensor != 0) {
      if (open_.any()) {
        group_.dimensions.push_back(std::move(open_));
      }
      return;
    }
    first->positive = false;
    first->permutable = first->permutable && open_.permutable;
    first->sign = first->sign && open_.sign;
    first->name += open_.name.empty() ? "" : " and " + open_.name;
    first->reader = at_;
    first->layer = open_.layer;
    first->axes.insert(first->axes.end(), open_.axes.begin(), open_.axes.end());
    first->folds.insert(first->folds.end(), open_.folds.begin(), open_.folds.end());
  }

  std::vector<Shape> shapes_;
  SymmetryGroup group_;
  HiddenDimension open_;
  bool one_minus_ = false;  // behind a sigmoid: a change of sign is y -> 1 - y
  std::size_t at_ = 0;
};

void apply_folds(const SymmetryGroup& group,
                 const HiddenDimension& dimension,
                 const UnitMap& map,
                 std::span<float> theta) {
  for (const SignFold& fold : dimension.folds) {
    const Tensor& weight = group.layout.tensors()[fold.weight.tensor];
    const Tensor& bias = group.layout.tensors()[fold.bias];
    const TensorView view = view_of(weight, fold.weight.axis);
    const std::size_t run = fold.weight.block * view.inner;
    for (std::size_t o = 0; o < view.outer; ++o) {
      double sum = theta[bias.offset + o];
      for (std::size_t u = 0; u < dimension.units; ++u) {
        if (map.factor[u] < 0.0) {
          const std::size_t from =
              weight.offset + (o * view.extent + fold.weight.first) * view.inner;
          const auto numbers = theta.subspan(from + map.source[u] * run, run);
          sum = std::accumulate(numbers.begin(), numbers.end(), sum);
        }
      }
      theta[bias.offset + o] = static_cast<float>(sum);
    }
  }
}

void apply_axis(const Tensor& tensor,
                const UnitAxis& axis,
                const UnitMap& map,
                std::span<float> theta) {
  const TensorView view = view_of(tensor, axis.axis);
  const std::size_t run = axis.block * view.inner;
  std::vector<float> old(map.source.size() * run);
  for (std::size_t o = 0; o < view.outer; ++o) {
    const auto numbers =
        theta.subspan(tensor.offset + (o * view.extent + axis.first) * view.inner, old.size());
    std::ranges::copy(numbers, old.begin());
    for (std::size_t u = 0; u < map.source.size(); ++u) {
      const double factor = axis.action == Action::none    ? 1.0
                            : axis.action == Action::times ? map.factor[u]
                                                           : 1.0 / map.factor[u];
      const float* const from = old.data() + map.source[u] * run;
      float* const to = numbers.data() + u * run;
      for (std::size_t k = 0; k < run; ++k) {
        to[k] = static_cast<float>(factor * static_cast<double>(from[k]));
      }
    }
  }
}

void check(const HiddenDimension& dimension, const UnitMap& map) {
  const auto refuse = [&](const std::string& why) {
    throw UsageError(fmt::format("symmetry of dimension {}: {}", dimension.name, why));
  };
  if (map.source.size() != dimension.units || map.factor.size() != dimension.units) {
    refuse(fmt::format("expected {} units, got {} and {} factors",
                       dimension.units,
                       map.source.size(),
                       map.factor.size()));
  }
  std::vector<bool> seen(dimension.units);
  for (std::size_t u = 0; u < dimension.units; ++u) {
    const std::uint32_t source = map.source[u];
    if (source >= dimension.units || seen[source]) {
      refuse(fmt::format("expected a permutation, unit {} comes from {}", u, source));
    }
    seen[source] = true;
    if (!dimension.permutable && source != u) {
      refuse("its units may not change places");
    }
    const double factor = map.factor[u];
    if (!(std::abs(factor) > 0.0) || !std::isfinite(factor) || (factor < 0.0 && !dimension.sign) ||
        (std::abs(factor) != 1.0 && !dimension.positive)) {
      refuse(fmt::format("a unit may not have the factor {}", factor));
    }
  }
}

}  // namespace

SymmetryGroup symmetries_of(const Network& network) {
  return Walk(network).take();
}

Symmetry identity_of(const SymmetryGroup& group) {
  Symmetry result;
  for (const HiddenDimension& dimension : group.dimensions) {
    UnitMap& map = result.emplace_back();
    map.source.resize(dimension.units);
    std::iota(map.source.begin(), map.source.end(), 0U);
    map.factor.assign(dimension.units, 1.0);
  }
  return result;
}

Symmetry compose(const Symmetry& first, const Symmetry& second) {
  ISTHMUS_ASSERT(first.size() == second.size(), "symmetries of one group are composed");
  Symmetry result = second;
  for (std::size_t d = 0; d < first.size(); ++d) {
    for (std::size_t u = 0; u < result[d].source.size(); ++u) {
      const std::uint32_t middle = second[d].source[u];
      result[d].source[u] = first[d].source[middle];
      result[d].factor[u] = second[d].factor[u] * first[d].factor[middle];
    }
  }
  return result;
}

Symmetry inverse(const Symmetry& symmetry) {
  Symmetry result = symmetry;
  for (std::size_t d = 0; d < symmetry.size(); ++d) {
    for (std::size_t u = 0; u < symmetry[d].source.size(); ++u) {
      const std::uint32_t source = symmetry[d].source[u];
      result[d].source[source] = static_cast<std::uint32_t>(u);
      result[d].factor[source] = 1.0 / symmetry[d].factor[u];
    }
  }
  return result;
}

bool is_identity(const Symmetry& symmetry) {
  return std::ranges::all_of(symmetry, [](const UnitMap& map) {
    return std::ranges::is_sorted(map.source) &&
           std::ranges::all_of(map.factor, [](double factor) { return factor == 1.0; });
  });
}

void apply(const SymmetryGroup& group,
           std::size_t dimension,
           const UnitMap& map,
           std::span<float> theta) {
  const HiddenDimension& hidden = group.dimensions.at(dimension);
  check(hidden, map);
  apply_folds(group, hidden, map, theta);
  for (const UnitAxis& axis : hidden.axes) {
    apply_axis(group.layout.tensors()[axis.tensor], axis, map, theta);
  }
}

void apply(const SymmetryGroup& group, const Symmetry& symmetry, std::span<float> theta) {
  if (symmetry.size() != group.dimensions.size() || theta.size() != group.layout.dimension()) {
    throw UsageError(
        fmt::format("symmetry: expected {} dimensions and {} parameters, got {} and {}",
                    group.dimensions.size(),
                    group.layout.dimension(),
                    symmetry.size(),
                    theta.size()));
  }
  for (std::size_t d = 0; d < symmetry.size(); ++d) {
    apply(group, d, symmetry[d], theta);
  }
}

Symmetry power(const Symmetry& symmetry, double t) {
  Symmetry result = symmetry;
  for (std::size_t d = 0; d < symmetry.size(); ++d) {
    std::iota(result[d].source.begin(), result[d].source.end(), 0U);
    for (std::size_t u = 0; u < symmetry[d].source.size(); ++u) {
      const double factor = symmetry[d].factor[u];
      if (!(factor > 0.0)) {
        throw UsageError(fmt::format("symmetry: expected factors > 0, got {}", factor));
      }
      result[d].factor[symmetry[d].source[u]] = std::pow(factor, t);
    }
  }
  return result;
}

SymmetryExtent extent_of(const Symmetry& symmetry) {
  SymmetryExtent result;
  for (const UnitMap& map : symmetry) {
    for (std::size_t u = 0; u < map.source.size(); ++u) {
      result.moved += map.source[u] != u ? 1 : 0;
      result.flipped += map.factor[u] < 0.0 ? 1 : 0;
      result.least_factor = std::min(result.least_factor, std::abs(map.factor[u]));
      result.largest_factor = std::max(result.largest_factor, std::abs(map.factor[u]));
    }
  }
  return result;
}

std::string describe(const HiddenDimension& dimension) {
  std::string text = fmt::format("{}: {} units", dimension.name, dimension.units);
  text += dimension.permutable ? ", permutations" : "";
  text += dimension.positive ? ", positive factors" : "";
  text += dimension.sign ? ", signs" : "";
  return text;
}

}  // namespace isthmus
