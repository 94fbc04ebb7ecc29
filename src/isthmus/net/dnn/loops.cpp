// SPDX-License-Identifier: MIT
#include "isthmus/net/dnn/loops.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "isthmus/core/target.h"

// Never fused (see flags.cmake), so that all instruction sets agree.

// Rows are pointers of their own, so that loops over them vectorise: many parameters.
// NOLINTBEGIN(readability-function-size)

namespace isthmus::dnn {
namespace {

// e^x to a few units in the last place: x = n log 2 + r with n whole, and the power series of e^r.
// Beyond +-87 as at +-87.
ISTHMUS_BODY float exp_of(float x) {
  constexpr float top = 87.0F;
  constexpr float log2_of_e = 1.44269504F;
  constexpr float round = 12582912.0F;  // 1.5 2^23: adding it rounds to whole numbers
  constexpr float log_of_2_high = 0.693359375F;
  constexpr float log_of_2_low = -2.12194440e-4F;
  x = x > top ? top : x;
  x = x < -top ? -top : x;
  const float shifted = x * log2_of_e + round;
  const float n = shifted - round;
  const float r = (x - n * log_of_2_high) - n * log_of_2_low;
  float series = 1.0F / 5040.0F;
  series = series * r + 1.0F / 720.0F;
  series = series * r + 1.0F / 120.0F;
  series = series * r + 1.0F / 24.0F;
  series = series * r + 1.0F / 6.0F;
  series = series * r + 0.5F;
  series = series * (r * r) + r + 1.0F;
  const std::uint32_t exponent =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(round) + 127U;
  return series * std::bit_cast<float>(exponent << 23U);
}

// e^x for x <= 0 as 2^t, t = n + r: the rounding of t makes an error of x e^x 6e-8 at most, so that
// one polynomial of five terms will do. Below -86 as at -86.
ISTHMUS_BODY float small_power_of(float x) {
  constexpr float round = 12582912.0F;  // 1.5 2^23
  float t = x * 1.44269504F;
  t = t < -124.0F ? -124.0F : t;
  const float shifted = t + round;
  const float r = t - (shifted - round);
  float series = 0.001326472731307149F;  // (2^r - 1) / r on [-1/2, 1/2]
  series = series * r + 0.009671512991189957F;
  series = series * r + 0.05550733581185341F;
  series = series * r + 0.24022242426872253F;
  series = series * r + 0.6931470036506653F;
  series = series * r + 1.0F;
  const std::uint32_t exponent =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(round) + 127U;
  return series * std::bit_cast<float>(exponent << 23U);
}

ISTHMUS_BODY float sigmoid_of(float x) {
  return 1.0F / (1.0F + exp_of(-x));
}

// Lambert's continued fraction up to 1, where 1 - 2 / (1 + e^2x) would cancel; that formula beyond.
ISTHMUS_BODY float tanh_of(float x) {
  const float size = std::abs(x);
  const float square = x * x;
  const float small = x * (((square + 378.0F) * square + 17325.0F) * square + 135135.0F) /
                      (((28.0F * square + 3150.0F) * square + 62370.0F) * square + 135135.0F);
  const float large = std::copysign(1.0F - 2.0F / (1.0F + exp_of(2.0F * size)), x);
  return size < 1.0F ? small : large;
}

// s^-beta
ISTHMUS_BODY void powers_of(std::size_t count,
                            float beta,
                            const float* __restrict sums,
                            float* __restrict powers) {
  if (beta == 0.75F) {
    for (std::size_t i = 0; i < count; ++i) {
      const float root = std::sqrt(sums[i]);
      powers[i] = 1.0F / (root * std::sqrt(root));
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      powers[i] = std::pow(sums[i], -beta);
    }
  }
}

// sums[c] = the 2 reach + 1 numbers of `padded` from c on.
ISTHMUS_BODY void window_sums(std::size_t channels,
                              std::size_t reach,
                              const float* __restrict padded,
                              float* __restrict sums) {
  for (std::size_t c = 0; c < channels; ++c) {
    sums[c] = padded[c];
  }
  for (std::size_t shift = 1; shift <= 2 * reach; ++shift) {
    for (std::size_t c = 0; c < channels; ++c) {
      sums[c] += padded[c + shift];
    }
  }
}

ISTHMUS_BODY void clear_margins(std::size_t channels, std::size_t reach, float* padded) {
  for (std::size_t i = 0; i < reach; ++i) {
    padded[i] = 0.0F;
    padded[reach + channels + i] = 0.0F;
  }
}

ISTHMUS_BODY void normalise_body(const NormFactors& factors,
                                 std::size_t channels,
                                 const float* __restrict x,
                                 float* __restrict squares,
                                 float* __restrict sums,
                                 float* __restrict y) {
  const NormFactors f = factors;
  clear_margins(channels, f.reach, squares);
  for (std::size_t c = 0; c < channels; ++c) {
    squares[f.reach + c] = x[c] * x[c];
  }
  window_sums(channels, f.reach, squares, sums);
  for (std::size_t c = 0; c < channels; ++c) {
    sums[c] = f.k + f.scale * sums[c];
  }
  powers_of(channels, f.beta, sums, y);
  for (std::size_t c = 0; c < channels; ++c) {
    y[c] *= x[c];
  }
}

// With p = s^-beta: dx_c = dy_c p_c - 2 beta scale x_c sum over c' in reach of dy_c' x_c' p_c' /
// s_c'
ISTHMUS_BODY void normalise_backward_body(const NormFactors& factors,
                                          std::size_t channels,
                                          const float* __restrict x,
                                          const float* __restrict sums,
                                          const float* __restrict y_gradient,
                                          float* __restrict scratch,
                                          float* __restrict x_gradient) {
  const NormFactors f = factors;
  float* const padded = scratch;  // channels + 2 reach
  float* const window = scratch + channels + 2 * f.reach;
  clear_margins(channels, f.reach, padded);
  powers_of(channels, f.beta, sums, x_gradient);
  for (std::size_t c = 0; c < channels; ++c) {
    x_gradient[c] *= y_gradient[c];
    padded[f.reach + c] = x_gradient[c] * x[c] / sums[c];
  }
  window_sums(channels, f.reach, padded, window);
  const float factor = 2.0F * f.beta * f.scale;
  for (std::size_t c = 0; c < channels; ++c) {
    x_gradient[c] -= factor * x[c] * window[c];
  }
}

// One stream: the four gates apart, so that the compiler need not fear that they overlap.
ISTHMUS_BODY void cell_forward_row(std::size_t width,
                                   float* __restrict in_gate,
                                   float* __restrict forget_gate,
                                   float* __restrict candidate_gate,
                                   float* __restrict out_gate,
                                   const float* __restrict before,
                                   float* __restrict cell,
                                   float* __restrict hidden) {
  for (std::size_t j = 0; j < width; ++j) {
    const float in = sigmoid_of(in_gate[j]);
    const float forget = sigmoid_of(forget_gate[j]);
    const float candidate = tanh_of(candidate_gate[j]);
    const float out = sigmoid_of(out_gate[j]);
    const float value = forget * before[j] + in * candidate;
    in_gate[j] = in;
    forget_gate[j] = forget;
    candidate_gate[j] = candidate;
    out_gate[j] = out;
    cell[j] = value;
    hidden[j] = out * tanh_of(value);
  }
}

ISTHMUS_BODY void cell_forward_body(const CellStep& step) {
  const std::size_t width = step.features;
  for (std::size_t stream = 0; stream < step.streams; ++stream) {
    float* const gates = step.gates + stream * 4 * width;
    cell_forward_row(width,
                     gates,
                     gates + width,
                     gates + 2 * width,
                     gates + 3 * width,
                     step.cell_before + stream * width,
                     step.cell + stream * width,
                     step.hidden + stream * width);
  }
}

ISTHMUS_BODY void cell_backward_row(std::size_t width,
                                    const float* __restrict gates,
                                    const float* __restrict before,
                                    const float* __restrict cell,
                                    const float* __restrict hidden_gradient,
                                    float* __restrict cell_gradient,
                                    float* __restrict by_in,
                                    float* __restrict by_forget,
                                    float* __restrict by_candidate,
                                    float* __restrict by_out) {
  for (std::size_t j = 0; j < width; ++j) {
    const float in = gates[j];
    const float forget = gates[width + j];
    const float candidate = gates[2 * width + j];
    const float out = gates[3 * width + j];
    const float bent = tanh_of(cell[j]);
    const float by_hidden = hidden_gradient[j];
    const float by_cell = cell_gradient[j] + by_hidden * out * (1.0F - bent * bent);
    by_in[j] = by_cell * candidate * in * (1.0F - in);
    by_forget[j] = by_cell * before[j] * forget * (1.0F - forget);
    by_candidate[j] = by_cell * in * (1.0F - candidate * candidate);
    by_out[j] = by_hidden * bent * out * (1.0F - out);
    cell_gradient[j] = by_cell * forget;
  }
}

ISTHMUS_BODY void cell_backward_body(const CellStep& step) {
  const std::size_t width = step.features;
  for (std::size_t stream = 0; stream < step.streams; ++stream) {
    float* const to = step.gates_gradient + stream * 4 * width;
    cell_backward_row(width,
                      step.gates + stream * 4 * width,
                      step.cell_before + stream * width,
                      step.cell + stream * width,
                      step.hidden_gradient + stream * width,
                      step.cell_gradient + stream * width,
                      to,
                      to + width,
                      to + 2 * width,
                      to + 3 * width);
  }
}

constexpr std::size_t lanes = 16;  // of a sum, whatever the processor's

ISTHMUS_BODY double sum_of_powers_body(std::size_t width,
                                       const float* x,
                                       float largest,
                                       float* powers) {
  double sums[lanes] = {};
  float block[lanes];
  std::size_t i = 0;
  for (; i + lanes <= width; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      block[lane] = exp_of(x[i + lane] - largest);
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      sums[lane] += static_cast<double>(block[lane]);
    }
    if (powers != nullptr) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        powers[i + lane] = block[lane];
      }
    }
  }
  double total = 0.0;
  for (const double sum : sums) {
    total += sum;
  }
  for (; i < width; ++i) {
    const float power = exp_of(x[i] - largest);
    total += static_cast<double>(power);
    if (powers != nullptr) {
      powers[i] = power;
    }
  }
  return total;
}

// The sum of `lanes` numbers: halves, then the halves of what is left.
ISTHMUS_BODY double sum_of_lanes(double* values) {
  for (std::size_t half = lanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) {
      values[lane] += values[lane + half];
    }
  }
  return values[0];
}

ISTHMUS_BODY double powers_in_place_body(std::size_t width, float largest, float* row) {
  double sums[lanes] = {};
  std::size_t i = 0;
  for (; i + 4 * lanes <= width; i += 4 * lanes) {
    float block[4][lanes];
    for (std::size_t part = 0; part < 4; ++part) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        block[part][lane] = small_power_of(row[i + part * lanes + lane] - largest);
      }
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      sums[lane] += static_cast<double>((block[0][lane] + block[1][lane]) +
                                        (block[2][lane] + block[3][lane]));
    }
    std::memcpy(row + i, block, sizeof(block));
  }
  for (; i + lanes <= width; i += lanes) {
    float block[lanes];
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      block[lane] = small_power_of(row[i + lane] - largest);
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      sums[lane] += static_cast<double>(block[lane]);
    }
    std::memcpy(row + i, block, sizeof(block));
  }
  double total = sum_of_lanes(sums);
  for (; i < width; ++i) {
    const float power = small_power_of(row[i] - largest);
    total += static_cast<double>(power);
    row[i] = power;
  }
  return total;
}

// Of several chains that do not wait for each other, where the row is long.
template <std::size_t chains>
ISTHMUS_BODY float largest_body(std::size_t width, const float* x) {
  constexpr std::size_t many = chains * lanes;
  float best[many];
  for (float& each : best) {
    each = -std::numeric_limits<float>::infinity();
  }
  std::size_t i = 0;
  for (; i + many <= width; i += many) {
    for (std::size_t lane = 0; lane < many; ++lane) {
      best[lane] = x[i + lane] > best[lane] ? x[i + lane] : best[lane];
    }
  }
  for (std::size_t half = many / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) {
      best[lane] = best[lane + half] > best[lane] ? best[lane + half] : best[lane];
    }
  }
  float result = best[0];
  for (; i < width; ++i) {
    result = x[i] > result ? x[i] : result;
  }
  return result;
}

ISTHMUS_BODY void scale_row_body(std::size_t width,
                                 float factor,
                                 float* __restrict row,
                                 float* __restrict sums) {
  for (std::size_t i = 0; i < width; ++i) {
    const float scaled = row[i] * factor;
    row[i] = scaled;
    sums[i] += scaled;
  }
}

// NOLINTEND(readability-function-size)

// The loops as `On` compiles them.
template <template <auto> class On>
constexpr Loops loops_on(const char* name) {
  return {.name = name,
          .normalise = On<normalise_body>::run,
          .normalise_backward = On<normalise_backward_body>::run,
          .cell_forward = On<cell_forward_body>::run,
          .cell_backward = On<cell_backward_body>::run,
          .sum_of_powers = On<sum_of_powers_body>::run,
          .powers_in_place = On<powers_in_place_body>::run,
          .largest_of_many = On<largest_body<4>>::run,
          .scale_row = On<scale_row_body>::run,
          .largest = On<largest_body<1>>::run};
}

constexpr Loops loops_baseline = loops_on<OnBaseline>("baseline");
#if defined(__x86_64__)
constexpr Loops loops_avx2 = loops_on<OnAvx2>("avx2");
constexpr Loops loops_avx512 = loops_on<OnAvx512>("avx512");
constexpr const Loops* all_loops[] = {&loops_baseline, &loops_avx2, &loops_avx512};
#else
constexpr const Loops* all_loops[] = {&loops_baseline};
#endif

}  // namespace

const Loops* const* available_loops(std::size_t& count) {
  static const std::size_t available = usable_targets();
  count = available;
  return all_loops;
}

const Loops& loops() {
  std::size_t count = 0;
  const Loops* const* all = available_loops(count);
  return *all[count - 1];
}

}  // namespace isthmus::dnn
