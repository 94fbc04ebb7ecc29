// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/stage.h"

namespace isthmus::dnn {
namespace {

// Rows of a table: copied in the forward pass, added to in the backward pass.
class Gather final : public Stage {
 public:
  Gather(const Site& site, const Embedding& embedding, bool tied, const Blob& output)
      : tokens_(embedding.tokens),
        features_(embedding.features),
        offset_(site.weight->offset),
        tied_(tied),
        input_(site.input),
        output_(output),
        rows_(output.count) {}

  void forward(const Step& step) override {
    const float* table = step.theta + offset_;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const float token = input_.values()[i];
      if (!(token >= 0.0F && token < static_cast<float>(tokens_)) ||
          static_cast<float>(static_cast<std::size_t>(token)) != token) {
        throw UsageError(
            fmt::format("embedding: expected whole numbers in [0, {}), got {} at sample {}",
                        tokens_,
                        token,
                        i));
      }
      rows_[i] = static_cast<std::size_t>(token);
      std::copy_n(table + rows_[i] * features_, features_, output_.values() + i * features_);
    }
  }

  void backward(const Step& step) override {
    float* table = step.gradient + offset_;
    if (!tied_) {
      std::fill_n(table, tokens_ * features_, 0.0F);
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const float* from = output_.gradients() + i * features_;
      float* to = table + rows_[i] * features_;
      for (std::size_t j = 0; j < features_; ++j) {
        to[j] += from[j];
      }
    }
  }

 private:
  std::size_t tokens_;
  std::size_t features_;
  std::size_t offset_;
  bool tied_;
  Blob input_;
  Blob output_;
  std::vector<std::size_t> rows_;  // of the last forward pass
};

}  // namespace

Built build_embedding(const Site& site, const Embedding& embedding, bool tied) {
  Blob shape = site.input;
  shape.channels = embedding.features;
  const Blob output =
      make_blob(site.workspace, shape, flat_desc(shape.count, embedding.features), site.training());
  return {std::make_unique<Gather>(site, embedding, tied, output), output};
}

}  // namespace isthmus::dnn
