// SPDX-License-Identifier: MIT
#include "isthmus/certify/sample_network.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "isthmus/certify/enclosure.h"
#include "isthmus/certify/rounding.h"

namespace isthmus {
namespace {

// Where row o * positions + p of a linear step is kept.
struct Order {
  std::size_t positions = 1;
  std::size_t outputs = 0;

  std::uint32_t operator()(std::size_t row) const {
    return static_cast<std::uint32_t>(positions == 1 ? row
                                                     : row % positions * outputs + row / positions);
  }
};

// Room for so many numbers, on large pages where the system has them: products of one sample touch
// a line here and there.
void make_room(std::vector<float>& numbers, std::size_t size) {
  numbers.reserve(size);
#if defined(__linux__)
  constexpr std::size_t page = std::size_t{1} << 21;
  void* start = numbers.data();
  std::size_t room = size * sizeof(float);
  if (std::align(page, page, start, room) != nullptr) {
    madvise(start, room / page * page, MADV_HUGEPAGE);
  }
#endif
}

SampleWeights weights_of(const Step& step, std::span<const float> a, std::span<const float> b) {
  SampleWeights made;
  const std::size_t panels = (step.outputs + sample_panel - 1) / sample_panel;
  for (std::vector<float>* numbers : {&made.a, &made.b}) {
    make_room(*numbers, panels * step.inputs * sample_panel);
    numbers->assign(panels * step.inputs * sample_panel, 0.0F);
  }
  // Sums of rounded squares, and a root.
  const double error = 1.0 + gamma(step.inputs + 16);
  for (std::size_t o = 0; o < step.outputs; ++o) {
    double size = 0.0;
    double change = 0.0;
    double sum = 0.0;
    for (std::size_t i = 0; i < step.inputs; ++i) {
      const std::size_t from = step.weight_offset + o * step.inputs + i;
      const std::size_t to = (o / sample_panel * step.inputs + i) * sample_panel + o % sample_panel;
      const auto wa = static_cast<double>(a[from]);
      const auto wb = static_cast<double>(b[from]);
      made.a[to] = a[from];
      made.b[to] = b[from];
      size += 0.25 * (wa + wb) * (wa + wb);
      change += (wb - wa) * (wb - wa);
      sum += std::max(std::abs(wa), std::abs(wb));
    }
    made.row_sum = std::max(made.row_sum, sum * error);
    made.size.push_back(std::sqrt(size) * error + 0x1p-100);  // may be subnormal in float32
    made.change.push_back(std::sqrt(change) * error + 0x1p-100);
    const std::size_t bias = step.bias_offset.value_or(0) + o;
    made.bias_a.push_back(step.bias_offset ? static_cast<double>(a[bias]) : 0.0);
    made.bias_b.push_back(step.bias_offset ? static_cast<double>(b[bias]) : 0.0);
    made.bias = std::max({made.bias, std::abs(made.bias_a[o]), std::abs(made.bias_b[o])});
  }
  for (std::vector<double>* numbers : {&made.bias_a, &made.bias_b, &made.size, &made.change}) {
    numbers->resize(panels * sample_panel, 0.0);
  }
  return made;
}

// The places of each row, from the rows of each position.
void place_inputs(const Step& step, const Order& order, SampleStep& made) {
  made.first.assign(step.in_rows + 1, 0);
  for (const Term& term : step.terms) {
    ++made.first[order(term.row) + 1];
  }
  for (std::size_t row = 0; row < step.in_rows; ++row) {
    made.first[row + 1] += made.first[row];
  }
  std::vector<std::size_t> next(made.first.begin(), made.first.end() - 1);
  made.places.resize(step.terms.size());
  for (std::size_t p = 0; p < step.positions(); ++p) {
    for (std::size_t k = step.first[p]; k < step.first[p + 1]; ++k) {
      const Term& term = step.terms[k];
      made.places[next[order(term.row)]++] = {static_cast<std::uint32_t>(p), term.column};
    }
  }
  if (step.positions() > 1) {
    made.rows.assign(step.positions() * step.inputs, static_cast<std::uint32_t>(step.in_rows));
    for (std::size_t row = 0; row < step.in_rows; ++row) {
      for (std::size_t i = made.first[row]; i < made.first[row + 1]; ++i) {
        made.rows[made.places[i].position * step.inputs + made.places[i].column] =
            static_cast<std::uint32_t>(row);
      }
    }
  }
}

// What is taken along with a linear step, of the steps behind it.
void join_units(std::span<const Step> behind, SampleStep& made) {
  made.pools = !behind.empty() && behind[0].kind == Step::Kind::max_pool;
  made.tile_first.assign(1, 0);
  for (std::uint32_t p = 0; !made.pools && p < made.positions; ++p) {
    made.tiled.push_back(p);
    made.tile_first.push_back(p + 1);
  }
  if (made.pools) {  // the windows of the first output, whose rows are the positions
    const std::size_t tiles = behind[0].out_rows / made.outputs;
    for (std::size_t p = 0; p < tiles; ++p) {
      for (std::size_t k = behind[0].first[p]; k < behind[0].first[p + 1]; ++k) {
        made.tiled.push_back(behind[0].terms[k].row);
      }
      made.tile_first.push_back(made.tiled.size());
    }
    behind = behind.subspan(1);
  }
  made.relu = !behind.empty() && behind[0].kind == Step::Kind::relu;
}

// A maximum of ReLUs is the ReLU of the maximum, of which there are fewer.
std::vector<Step> in_cheap_order(std::vector<Step> steps) {
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    if (steps[i].kind == Step::Kind::relu && steps[i + 1].kind == Step::Kind::max_pool) {
      std::swap(steps[i], steps[i + 1]);
      steps[i + 1].in_rows = steps[i + 1].out_rows = steps[i].out_rows;
    }
  }
  return steps;
}

}  // namespace

SampleNetwork::SampleNetwork(const std::vector<Step>& steps,
                             std::span<const float> a,
                             std::span<const float> b)
    : first_(first_linear(steps)) {
  Order order;
  const std::vector<Step> ordered = in_cheap_order(steps);
  for (std::size_t index = 0; index < ordered.size(); ++index) {
    const Step& step = ordered[index];
    SampleStep& made = steps_.emplace_back();
    made.kind = step.kind;
    made.in_rows = step.in_rows;
    made.out_rows = step.out_rows;
    switch (step.kind) {
      case Step::Kind::linear:
        made.positions = step.positions();
        made.outputs = step.outputs;
        made.inputs = step.inputs;
        made.weights = weights_of(step, a, b);
        place_inputs(step, order, made);
        join_units(std::span(ordered).subspan(index + 1), made);
        order = {made.tiles(), step.outputs};
        break;
      case Step::Kind::max_pool:
      case Step::Kind::average_pool:
        made.first = step.first;
        made.divisor = step.divisor;
        if (index > 0 && steps_[index - 1].pools) {
          break;  // taken along
        }
        for (const Term& term : step.terms) {
          made.window.push_back(order(term.row));
        }
        order = {};
        break;
      case Step::Kind::relu:
      case Step::Kind::sigmoid:
      case Step::Kind::tanh:
        break;  // any order
    }
  }
}

}  // namespace isthmus
