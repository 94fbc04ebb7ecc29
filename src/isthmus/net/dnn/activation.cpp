// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/stage.h"

namespace isthmus::dnn {
namespace {

class Elementwise final : public Stage {
 public:
  Elementwise(const Site& site, Activation::Kind kind, const Blob& output)
      : kind_(kind), input_(site.input), output_(output) {
    const auto described = describe_activation(kind, input_.value.get_desc());
    forward_ = Call(dnnl::eltwise_forward(described),
                    {{DNNL_ARG_SRC, input_.value},
                     {DNNL_ARG_DST, output_.value},
                     {DNNL_ARG_SCRATCHPAD, site.workspace.scratch(described.scratchpad_desc())}});
  }

  void forward(const Step& step) override { forward_(step.stream); }

  void backward(const Step&) override {
    if (!input_.gradient) {
      return;
    }
    std::copy_n(output_.gradients(), output_.size(), input_.gradients());
    multiply_by_derivative(kind_, output_.size(), output_.values(), input_.gradients());
  }

 private:
  Activation::Kind kind_;
  Blob input_;
  Blob output_;
  Call forward_;
};

class Softmax final : public Stage {
 public:
  Softmax(const Blob& input, const Blob& output) : input_(input), output_(output) {}

  void forward(const Step&) override {
    const std::size_t width = input_.channels;
    for (std::size_t row = 0; row < input_.count; ++row) {
      const float* x = input_.values() + row * width;
      float* y = output_.values() + row * width;
      const float largest = *std::max_element(x, x + width);
      float sum = 0.0F;
      for (std::size_t k = 0; k < width; ++k) {
        y[k] = std::exp(x[k] - largest);
        sum += y[k];
      }
      for (std::size_t k = 0; k < width; ++k) {
        y[k] /= sum;
      }
    }
  }

  // dx = y (dy - <dy, y>)
  void backward(const Step&) override {
    if (!input_.gradient) {
      return;
    }
    const std::size_t width = input_.channels;
    for (std::size_t row = 0; row < input_.count; ++row) {
      const float* y = output_.values() + row * width;
      const float* dy = output_.gradients() + row * width;
      float* dx = input_.gradients() + row * width;
      float product = 0.0F;
      for (std::size_t k = 0; k < width; ++k) {
        product += dy[k] * y[k];
      }
      for (std::size_t k = 0; k < width; ++k) {
        dx[k] = y[k] * (dy[k] - product);
      }
    }
  }

 private:
  Blob input_;
  Blob output_;
};

// Each mask decision takes 16 bits, so one draw of the generator makes four of them; the
// probability is met to within 2^-17. Masks are drawn in PyTorch's order of the numbers, whatever
// the order in memory, so that they are the same on every processor.
class Drop final : public Stage {
 public:
  Drop(const Site& site, const Dropout& dropout, const Blob& output)
      : threshold_(static_cast<std::uint32_t>(std::lround(dropout.probability * 65536.0))),
        scale_(static_cast<float>(1.0 / (1.0 - dropout.probability))),
        input_(site.input),
        output_(output),
        factors_(output.size(), 0.0F),
        drawn_(output.block == 1 ? 0 : output.count * output.features()) {}

  void forward(const Step& step) override {
    ISTHMUS_ASSERT(step.dropout != nullptr, "dropout without a generator");
    draw(*step.dropout);
    apply(input_.values(), output_.values());
  }

  void backward(const Step&) override {
    if (input_.gradient) {
      apply(output_.gradients(), input_.gradients());
    }
  }

 private:
  void draw(Rng& rng) {
    std::vector<float>& drawn = input_.block == 1 ? factors_ : drawn_;
    for (std::size_t i = 0; i < drawn.size();) {
      const std::uint64_t bits = rng();
      const std::size_t end = std::min(i + 4, drawn.size());
      for (unsigned shift = 0; i < end; ++i, shift += 16) {
        drawn[i] = ((bits >> shift) & 0xFFFF) >= threshold_ ? scale_ : 0.0F;
      }
    }
    if (input_.block != 1) {
      spread();
    }
  }

  // From PyTorch's order to that of the blob.
  void spread() {
    const std::size_t area = input_.height * input_.width;
    const float* from = drawn_.data();
    for (std::size_t sample = 0; sample < input_.count; ++sample) {
      for (std::size_t c = 0; c < input_.channels; ++c) {
        const std::size_t group = sample * input_.groups() + c / input_.block;
        float* to = factors_.data() + group * area * input_.block + c % input_.block;
        for (std::size_t pixel = 0; pixel < area; ++pixel) {
          to[pixel * input_.block] = *from++;
        }
      }
    }
  }

  void apply(const float* from, float* to) const {
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      to[i] = from[i] * factors_[i];
    }
  }

  std::uint32_t threshold_;
  float scale_;
  Blob input_;
  Blob output_;
  std::vector<float> factors_;  // 0 or scale_, in the order of the blob
  std::vector<float> drawn_;    // the same in PyTorch's, if that is another
};

Blob output_like_input(const Site& site) {
  return make_blob(
      site.workspace, site.input, site.input.value.get_desc(), site.training() && site.propagate);
}

}  // namespace

void multiply_by_derivative(Activation::Kind kind,
                            std::size_t size,
                            const float* values,
                            float* gradients) {
  switch (kind) {
    case Activation::Kind::relu:
      for (std::size_t i = 0; i < size; ++i) {
        gradients[i] = values[i] <= 0.0F ? 0.0F : gradients[i];
      }
      return;
    case Activation::Kind::sigmoid:
      for (std::size_t i = 0; i < size; ++i) {
        gradients[i] *= values[i] * (1.0F - values[i]);
      }
      return;
    case Activation::Kind::tanh:
      for (std::size_t i = 0; i < size; ++i) {
        gradients[i] *= 1.0F - values[i] * values[i];
      }
      return;
    case Activation::Kind::softmax:
      break;
  }
  ISTHMUS_ASSERT(false, "softmax is not elementwise");
}

Built build_activation(const Site& site, Activation::Kind kind) {
  const Blob output = output_like_input(site);
  if (kind == Activation::Kind::softmax) {
    return {std::make_unique<Softmax>(site.input, output), output};
  }
  return {std::make_unique<Elementwise>(site, kind, output), output};
}

Built build_dropout(const Site& site, const Dropout& dropout) {
  const Blob output = output_like_input(site);
  return {std::make_unique<Drop>(site, dropout, output), output};
}

}  // namespace isthmus::dnn
