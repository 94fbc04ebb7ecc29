// SPDX-License-Identifier: MIT
#include <algorithm>
#include <vector>

#include "isthmus/net/dnn/loops.h"
#include "isthmus/net/dnn/stage.h"

namespace isthmus::dnn {
namespace {

// Local response normalisation of our own: oneDNN's has fast kernels for five channels in blocks or
// for channels last, and is a hundred times slower for other sizes between convolutions.
class Norm final : public Stage {
 public:
  Norm(const Site& site, const LocalResponseNorm& norm, const Blob& output)
      : factors_{.reach = norm.size / 2,
                 .scale = static_cast<float>(norm.alpha / static_cast<double>(norm.size)),
                 .beta = static_cast<float>(norm.beta),
                 .k = static_cast<float>(norm.k)},
        input_(site.input),
        output_(output),
        sums_(site.training() ? input_.count * area() * input_.channels : input_.channels),
        keeps_sums_(site.training()),
        x_(padded()),
        y_(padded()),
        derivative_(padded()),
        scratch_(2 * padded() + 4 * factors_.reach) {}

  void forward(const Step&) override {
    for_each_pixel([&](std::size_t pixel, std::size_t index) {
      gather(input_.values() + pixel, x_.data());
      loops().normalise(
          factors_, input_.channels, x_.data(), scratch_.data(), sums(index), y_.data());
      scatter(y_.data(), output_.values() + pixel);
    });
  }

  void backward(const Step&) override {
    if (!input_.gradient) {
      return;
    }
    for_each_pixel([&](std::size_t pixel, std::size_t index) {
      gather(input_.values() + pixel, x_.data());
      gather(output_.gradients() + pixel, y_.data());
      loops().normalise_backward(factors_,
                                 input_.channels,
                                 x_.data(),
                                 sums(index),
                                 y_.data(),
                                 scratch_.data(),
                                 derivative_.data());
      scatter(derivative_.data(), input_.gradients() + pixel);
    });
  }

 private:
  std::size_t area() const { return input_.height * input_.width; }
  // The channels with the filling of the last block.
  std::size_t padded() const { return input_.groups() * input_.block; }
  float* sums(std::size_t index) {
    return sums_.data() + (keeps_sums_ ? index * input_.channels : 0);
  }

  // Calls visit(offset of its first channel in the blob, number of the pixel).
  template <class Visit>
  void for_each_pixel(const Visit& visit) {
    std::size_t index = 0;
    for (std::size_t sample = 0; sample < input_.count; ++sample) {
      const std::size_t first = sample * input_.groups() * area() * input_.block;
      for (std::size_t pixel = 0; pixel < area(); ++pixel) {
        visit(first + pixel * input_.block, index++);
      }
    }
  }

  void gather(const float* from, float* channels) const {
    for (std::size_t group = 0; group < input_.groups(); ++group) {
      std::copy_n(
          from + group * area() * input_.block, input_.block, channels + group * input_.block);
    }
  }

  void scatter(const float* channels, float* to) const {
    for (std::size_t group = 0; group < input_.groups(); ++group) {
      std::copy_n(
          channels + group * input_.block, input_.block, to + group * area() * input_.block);
    }
  }

  NormFactors factors_;
  Blob input_;
  Blob output_;
  std::vector<float> sums_;  // (pixels, channels) in training, else of one pixel
  bool keeps_sums_;
  // One pixel's channels; the filling behind them stays zero.
  std::vector<float> x_;
  std::vector<float> y_;
  std::vector<float> derivative_;
  std::vector<float> scratch_;
};

}  // namespace

Built build_norm(const Site& site, const LocalResponseNorm& norm) {
  const Blob output = make_blob(
      site.workspace, site.input, site.input.value.get_desc(), site.training() && site.propagate);
  return {std::make_unique<Norm>(site, norm, output), output};
}

}  // namespace isthmus::dnn
