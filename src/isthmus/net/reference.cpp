// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/net/engine.h"
#include "isthmus/net/window.h"

namespace isthmus {
namespace {

using Values = std::vector<double>;

// One sample through the layers; `at` walks along theta. `state` holds h and c of every Lstm in
// turn, each a vector of its own.
class Pass {
 public:
  Pass(const double* theta, Values values, std::vector<Values>& state)
      : theta_(theta), at_(theta), values_(std::move(values)), state_(state) {}

  void layer(const Layer& layer, const Shape& in, const Shape& out) {
    std::visit([&](const auto& kind) { apply(kind, in, out); }, layer);
  }
  const Values& values() const { return values_; }

 private:
  void apply(const Linear& linear, const Shape& in, const Shape& out) {
    const std::size_t inputs = in[0];
    const double* const weight = linear.tied ? theta_ : take(out[0] * inputs);
    const double* const bias = linear.bias ? take(out[0]) : nullptr;
    Values result(out[0]);
    for (std::size_t o = 0; o < out[0]; ++o) {
      double sum = bias ? bias[o] : 0.0;
      for (std::size_t i = 0; i < inputs; ++i) {
        sum += weight[o * inputs + i] * values_[i];
      }
      result[o] = sum;
    }
    values_ = std::move(result);
  }

  void apply(const Conv2d& conv, const Shape& in, const Shape& out) {
    const std::size_t k = conv.kernel;
    const double* const weight = take(out[0] * in[0] * k * k);
    const double* const bias = conv.bias ? take(out[0]) : nullptr;
    const Window window = window_of(conv);
    each_output(out, [&](std::size_t channel, std::size_t oy, std::size_t ox) {
      double sum = bias ? bias[channel] : 0.0;
      for (std::size_t c = 0; c < in[0]; ++c) {
        const double* const filter = weight + (channel * in[0] + c) * k * k;
        window.each(in, oy, ox, [&](auto y, auto x, auto row, auto column) {
          sum += filter[row * k + column] * values_[(c * in[1] + y) * in[2] + x];
        });
      }
      return sum;
    });
  }

  void apply(const Pool2d& pool, const Shape& in, const Shape& out) {
    const Window window = window_of(pool);
    const auto places = static_cast<double>(pool.kernel) * static_cast<double>(pool.kernel);
    each_output(out, [&](std::size_t channel, std::size_t oy, std::size_t ox) {
      double sum = 0.0;
      double top = -std::numeric_limits<double>::infinity();
      double count = 0.0;
      window.each(in, oy, ox, [&](auto y, auto x, auto, auto) {
        const double value = values_[(channel * in[1] + y) * in[2] + x];
        sum += value;
        top = value > top || std::isnan(value) ? value : top;
        count += 1.0;
      });
      return pool.kind == Pool2d::Kind::max ? top : sum / (pool.count_padding ? places : count);
    });
  }

  void apply(const LocalResponseNorm& norm, const Shape& in, const Shape&) {
    const std::size_t area = in[1] * in[2];
    const std::size_t reach = norm.size / 2;
    Values result(values_.size());
    for (std::size_t c = 0; c < in[0]; ++c) {
      for (std::size_t pixel = 0; pixel < area; ++pixel) {
        double sum = 0.0;
        for (std::size_t other = c < reach ? 0 : c - reach; other <= c + reach && other < in[0];
             ++other) {
          sum += values_[other * area + pixel] * values_[other * area + pixel];
        }
        const double base = norm.k + norm.alpha / static_cast<double>(norm.size) * sum;
        result[c * area + pixel] = values_[c * area + pixel] * std::pow(base, -norm.beta);
      }
    }
    values_ = std::move(result);
  }

  void apply(const Embedding& embedding, const Shape&, const Shape& out) {
    const double* const weight = take(embedding.tokens * out[0]);
    const double token = values_[0];
    if (!(token >= 0.0 && token < static_cast<double>(embedding.tokens)) ||
        token != std::floor(token)) {
      throw UsageError(
          fmt::format("reference: expected tokens in [0, {}), got {}", embedding.tokens, token));
    }
    const double* const row = weight + static_cast<std::size_t>(token) * out[0];
    values_.assign(row, row + out[0]);
  }

  void apply(const Lstm& lstm, const Shape& in, const Shape&) {
    const std::size_t width = lstm.features;
    const double* const of_input = take(4 * width * in[0]);
    const double* const of_hidden = take(4 * width * width);
    const double* const bias = take(4 * width);
    Values& hidden = state_[next_state_++];
    Values& cell = state_[next_state_++];
    Values sums(4 * width);
    for (std::size_t j = 0; j < 4 * width; ++j) {
      sums[j] = bias[j];
      for (std::size_t i = 0; i < in[0]; ++i) {
        sums[j] += of_input[j * in[0] + i] * values_[i];
      }
      for (std::size_t i = 0; i < width; ++i) {
        sums[j] += of_hidden[j * width + i] * hidden[i];
      }
    }
    for (std::size_t j = 0; j < width; ++j) {
      using Kind = Activation::Kind;
      const double forgotten = elementwise(Kind::sigmoid, sums[width + j]) * cell[j];
      cell[j] = forgotten + elementwise(Kind::sigmoid, sums[j]) * std::tanh(sums[2 * width + j]);
      hidden[j] = elementwise(Kind::sigmoid, sums[3 * width + j]) * std::tanh(cell[j]);
    }
    values_ = hidden;
  }

  void apply(const Activation& activation, const Shape&, const Shape&) {
    if (activation.kind == Activation::Kind::softmax) {
      const double top = *std::ranges::max_element(values_);
      double total = 0.0;
      for (double& value : values_) {
        value = std::exp(value - top);
        total += value;
      }
      for (double& value : values_) {
        value /= total;
      }
      return;
    }
    for (double& value : values_) {
      value = elementwise(activation.kind, value);
    }
  }

  void apply(const Dropout&, const Shape&, const Shape&) {}
  void apply(const Flatten&, const Shape&, const Shape&) {}

  static double elementwise(Activation::Kind kind, double x) {
    switch (kind) {
      case Activation::Kind::relu:
        return x < 0.0 ? 0.0 : x;
      case Activation::Kind::sigmoid:
        return 1.0 / (1.0 + std::exp(-x));
      case Activation::Kind::tanh:
        return std::tanh(x);
      case Activation::Kind::softmax:
        break;
    }
    throw InternalError("reference: softmax is not elementwise");
  }

  template <class Compute>
  void each_output(const Shape& out, Compute compute) {
    Values result(size_of(out));
    for (std::size_t channel = 0; channel < out[0]; ++channel) {
      for (std::size_t y = 0; y < out[1]; ++y) {
        for (std::size_t x = 0; x < out[2]; ++x) {
          result[(channel * out[1] + y) * out[2] + x] = compute(channel, y, x);
        }
      }
    }
    values_ = std::move(result);
  }

  const double* take(std::size_t count) {
    const double* const taken = at_;
    at_ += count;
    return taken;
  }

  const double* theta_;
  const double* at_;
  Values values_;
  std::vector<Values>& state_;
  std::size_t next_state_ = 0;
};

// The state of each stream before the batch.
std::vector<std::vector<Values>> states_of(const Network& network, const BatchView& batch) {
  std::vector<std::vector<Values>> states(batch.streams);
  std::size_t offset = 0;
  for (const Layer& layer : network.layers) {
    const auto* lstm = std::get_if<Lstm>(&layer);
    for (int part = 0; lstm != nullptr && part < 2; ++part) {
      for (std::size_t stream = 0; stream < batch.streams; ++stream) {
        Values& state = states[stream].emplace_back(lstm->features, 0.0);
        for (std::size_t j = 0; batch.state != nullptr && j < lstm->features; ++j) {
          state[j] = static_cast<double>(batch.state[offset + stream * lstm->features + j]);
        }
      }
      offset += batch.streams * lstm->features;
    }
  }
  return states;
}

double sample_loss(std::span<const double> outputs,
                   const BatchView& batch,
                   std::size_t sample,
                   Loss loss) {
  if (loss == Loss::cross_entropy) {
    const std::int32_t label = batch.labels[sample];
    if (label < 0 || static_cast<std::size_t>(label) >= outputs.size()) {
      throw UsageError(fmt::format("reference: expected labels in [0, {}), sample {} has {}",
                                   outputs.size(),
                                   sample,
                                   label));
    }
    const double top = *std::ranges::max_element(outputs);
    double total = 0.0;
    for (const double output : outputs) {
      total += std::exp(output - top);
    }
    return std::log(total) + top - outputs[static_cast<std::size_t>(label)];
  }
  double sum = 0.0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const double error =
        outputs[k] - static_cast<double>(batch.targets[sample * outputs.size() + k]);
    sum += loss == Loss::squared ? error * error : std::abs(error);
  }
  return sum / static_cast<double>(outputs.size());
}

void check_size(const char* what, std::size_t expected, std::size_t found) {
  if (expected != found) {
    throw UsageError(
        fmt::format("reference: expected {} numbers in {}, got {}", expected, what, found));
  }
}

}  // namespace

void reference_forward(const Network& network,
                       std::span<const double> theta,
                       const BatchView& batch,
                       std::span<double> outputs) {
  const std::vector<Shape> extents = shapes(network);
  const std::size_t features = size_of(extents.front());
  const std::size_t width = size_of(extents.back());
  check_size("theta", layout_of(network).dimension(), theta.size());
  check_size("outputs", batch.count * width, outputs.size());
  std::vector<std::vector<Values>> states = states_of(network, batch);
  for (std::size_t sample = 0; sample < batch.count; ++sample) {
    const float* const input = batch.inputs + sample * features;
    Pass pass(theta.data(), Values(input, input + features), states[sample % batch.streams]);
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      pass.layer(network.layers[i], extents[i], extents[i + 1]);
    }
    std::ranges::copy(pass.values(), outputs.begin() + static_cast<std::ptrdiff_t>(sample * width));
  }
}

double reference_loss(const Network& network,
                      std::span<const double> theta,
                      const BatchView& batch,
                      Loss loss) {
  const std::size_t width = output_size(network);
  Values outputs(batch.count * width);
  reference_forward(network, theta, batch, outputs);
  double sum = 0.0;
  for (std::size_t sample = 0; sample < batch.count; ++sample) {
    sum += sample_loss(std::span(outputs).subspan(sample * width, width), batch, sample, loss);
  }
  return sum / static_cast<double>(batch.count);
}

}  // namespace isthmus
