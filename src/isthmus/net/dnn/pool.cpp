// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "isthmus/net/dnn/stage.h"
#include "isthmus/net/window.h"

namespace isthmus::dnn {
namespace {

// Four channels at a time where the block allows it, else one. Sixteen bytes are what every x86-64
// has; wider vectors gain little, since the memory sets the pace.
using Floats = float __attribute__((vector_size(16)));
using Ints = std::int32_t __attribute__((vector_size(16)));
constexpr std::size_t group = 4;

// Floats in a vector of them, or in one.
template <class Vector>
// NOLINTNEXTLINE(bugprone-sizeof-expression)
constexpr std::size_t lanes_of = sizeof(Vector) / sizeof(float);

template <class Vector, class Number>
Vector read(const Number* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

template <class Vector, class Number>
void write(const Vector& vector, Number* to) {
  std::memcpy(to, &vector, sizeof vector);
}

// One window of a pool, clipped to the image.
struct Clip {
  std::size_t top, bottom, left, right;
  float size() const { return static_cast<float>((bottom - top) * (right - left)); }
};

// A pool of our own and not oneDNN's: that one's maximum loses NaN, and its backward pass cannot
// take in the ReLU before it. Both only read and write memory; a plain loop over the channels of a
// block keeps up with it.
class Pool final : public Stage {
 public:
  Pool(const Site& site, const Pool2d& pool, bool mask);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  const Blob& output() const { return output_; }

 private:
  std::size_t planes() const { return input_.count * input_.groups(); }
  std::size_t input_plane() const { return input_.height * input_.width * input_.block; }
  std::size_t output_plane() const { return output_.height * output_.width * output_.block; }
  Clip clip(std::size_t row, std::size_t column) const;
  // What the average over a window divides by.
  float places(const Clip& clip) const {
    const auto side = static_cast<float>(pool_.kernel);
    return pool_.count_padding ? side * side : clip.size();
  }
  // Calls visit(clip, output offset) for every window of one plane.
  template <class Visit>
  void for_each_window(std::size_t plane, const Visit& visit) const;

  template <class F, class I, std::size_t Groups>
  void forward_max();
  void forward_average() const;
  template <class F, class I>
  void backward_max() const;
  void backward_average() const;
  Pool2d pool_;
  bool mask_;
  bool keep_winners_;
  bool tiles_ = false;  // windows meet every pixel once
  Blob input_;
  Blob output_;
  std::size_t pad_top_ = 0;
  std::size_t pad_left_ = 0;
  // For each output the offset of its pixel in the input's plane, in pixels.
  std::vector<std::int32_t> winners_;
};

Pool::Pool(const Site& site, const Pool2d& pool, bool mask)
    : pool_(pool),
      mask_(mask),
      keep_winners_(site.training() && site.propagate && pool.kind == Pool2d::Kind::max),
      input_(site.input) {
  Blob shape = input_;
  const Window window = window_of(pool);
  const Window::Axis rows = window.rows(input_.height);
  const Window::Axis columns = window.columns(input_.width);
  shape.height = rows.output;
  shape.width = columns.output;
  output_ = make_blob(
      site.workspace, shape, image_desc(shape, shape.order), site.training() && site.propagate);
  pad_top_ = rows.before;
  pad_left_ = columns.before;
  tiles_ = pool.stride == pool.kernel && pad_top_ == 0 && pad_left_ == 0 &&
           input_.height % pool.kernel == 0 && input_.width % pool.kernel == 0;
  if (keep_winners_) {
    winners_.resize(output_.size());
  }
}

Clip Pool::clip(std::size_t row, std::size_t column) const {
  const auto from = [](std::size_t begin, std::size_t pad) {
    return begin > pad ? begin - pad : 0;
  };
  const std::size_t y = row * pool_.stride;
  const std::size_t x = column * pool_.stride;
  return {.top = from(y, pad_top_),
          .bottom = std::min(y + pool_.kernel - pad_top_, input_.height),
          .left = from(x, pad_left_),
          .right = std::min(x + pool_.kernel - pad_left_, input_.width)};
}

template <class Visit>
void Pool::for_each_window(std::size_t plane, const Visit& visit) const {
  std::size_t output = plane * output_plane();
  for (std::size_t row = 0; row < output_.height; ++row) {
    for (std::size_t column = 0; column < output_.width; ++column) {
      visit(clip(row, column), output);
      output += output_.block;
    }
  }
}

// Groups: how many vectors of channels walk over a window together, to keep the processor busy.
template <class F, class I, std::size_t Groups>
void Pool::forward_max() {  // NOLINT(readability-function-size): a window's loops in an image's
  constexpr std::size_t lanes = lanes_of<F>;
  const std::size_t block = input_.block;
  const std::size_t width = input_.width;
  float* const values = output_.values();
  std::int32_t* const winners = keep_winners_ ? winners_.data() : nullptr;
  for (std::size_t plane = 0; plane < planes(); ++plane) {
    const float* const in = input_.values() + plane * input_plane();
    for_each_window(plane, [=](const Clip& clip, std::size_t output) {
      const std::size_t first = clip.top * width + clip.left;
      for (std::size_t lane = 0; lane < block; lane += lanes * Groups) {
        F best[Groups];
        I winner[Groups];
        for (std::size_t g = 0; g < Groups; ++g) {
          best[g] = read<F>(in + first * block + lane + g * lanes);
          winner[g] = I{} + static_cast<std::int32_t>(first);
        }
        for (std::size_t y = clip.top; y < clip.bottom; ++y) {
          for (std::size_t x = clip.left; x < clip.right; ++x) {
            const std::size_t pixel = y * width + x;
            for (std::size_t g = 0; g < Groups; ++g) {
              const auto value = read<F>(in + pixel * block + lane + g * lanes);
              const auto wins = (value > best[g]) | (value != value);  // NaN wins, and stays
              best[g] = wins ? value : best[g];
              winner[g] = wins ? I{} + static_cast<std::int32_t>(pixel) : winner[g];
            }
          }
        }
        for (std::size_t g = 0; g < Groups; ++g) {
          write(best[g], values + output + lane + g * lanes);
          if (winners != nullptr) {
            write(winner[g], winners + output + lane + g * lanes);
          }
        }
      }
    });
  }
}

template <class F, class I>
void Pool::backward_max() const {
  constexpr std::size_t lanes = lanes_of<F>;
  const std::size_t block = input_.block;
  for (std::size_t plane = 0; plane < planes(); ++plane) {
    float* in = input_.gradients() + plane * input_plane();
    if (!tiles_) {
      std::fill_n(in, input_plane(), 0.0F);
    }
    for_each_window(plane, [&](const Clip& clip, std::size_t output) {
      for (std::size_t lane = 0; lane < block; lane += lanes) {
        auto gradient = read<F>(output_.gradients() + output + lane);
        if (mask_) {
          const auto value = read<F>(output_.values() + output + lane);
          gradient = value <= 0.0F ? F{} : gradient;
        }
        const auto winner = read<I>(winners_.data() + output + lane);
        for (std::size_t y = clip.top; y < clip.bottom; ++y) {
          for (std::size_t x = clip.left; x < clip.right; ++x) {
            const std::size_t pixel = y * input_.width + x;
            const F share = winner == static_cast<std::int32_t>(pixel) ? gradient : F{};
            float* to = in + pixel * block + lane;
            write(tiles_ ? share : read<F>(to) + share, to);
          }
        }
      }
    });
  }
}

void Pool::forward_average() const {
  const std::size_t block = input_.block;
  for (std::size_t plane = 0; plane < planes(); ++plane) {
    const float* in = input_.values() + plane * input_plane();
    for_each_window(plane, [&](const Clip& clip, std::size_t output) {
      float* mean = output_.values() + output;
      std::fill_n(mean, block, 0.0F);
      for (std::size_t y = clip.top; y < clip.bottom; ++y) {
        for (std::size_t x = clip.left; x < clip.right; ++x) {
          const float* value = in + (y * input_.width + x) * block;
          for (std::size_t lane = 0; lane < block; ++lane) {
            mean[lane] += value[lane];
          }
        }
      }
      for (std::size_t lane = 0; lane < block; ++lane) {
        mean[lane] /= places(clip);
      }
    });
  }
}

void Pool::backward_average() const {
  const std::size_t block = input_.block;
  for (std::size_t plane = 0; plane < planes(); ++plane) {
    float* in = input_.gradients() + plane * input_plane();
    std::fill_n(in, input_plane(), 0.0F);
    for_each_window(plane, [&](const Clip& clip, std::size_t output) {
      for (std::size_t lane = 0; lane < block; ++lane) {
        const float share = output_.gradients()[output + lane] / places(clip);
        for (std::size_t y = clip.top; y < clip.bottom; ++y) {
          for (std::size_t x = clip.left; x < clip.right; ++x) {
            in[(y * input_.width + x) * block + lane] += share;
          }
        }
      }
    });
  }
}

void Pool::forward(const Step&) {
  if (pool_.kind == Pool2d::Kind::average) {
    forward_average();
  } else if (input_.block % (4 * group) == 0) {
    forward_max<Floats, Ints, 4>();
  } else if (input_.block % group == 0) {
    forward_max<Floats, Ints, 1>();
  } else {
    forward_max<float, std::int32_t, 1>();
  }
}

void Pool::backward(const Step&) {
  if (!input_.gradient) {
    return;
  }
  if (pool_.kind == Pool2d::Kind::average) {
    backward_average();
  } else if (input_.block % group == 0) {
    backward_max<Floats, Ints>();
  } else {
    backward_max<float, std::int32_t>();
  }
}

}  // namespace

Built build_pool(const Site& site, const Pool2d& pool, bool mask) {
  auto stage = std::make_unique<Pool>(site, pool, mask);
  const Blob output = stage->output();
  return {std::move(stage), output};
}

}  // namespace isthmus::dnn
