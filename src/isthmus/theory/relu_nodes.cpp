// SPDX-License-Identifier: MIT
#include "isthmus/theory/relu_nodes.h"

#include <algorithm>

#include "isthmus/core/error.h"

namespace isthmus::theory {
namespace {

using Slots = std::vector<Index>;

struct SlotPair {
  Slots a;
  Slots b;
};

bool is_free(const Units& units, Index slot) {
  return units.beta.row(slot).squaredNorm() == 0.0;
}

// Slots free at both ends first, under the same number; then those of each alone.
SlotPair choose_slots(const Units& a, const Units& b, std::size_t count) {
  SlotPair slots;
  for (Index i = 0; i < a.count() && slots.a.size() < count; ++i) {
    if (is_free(a, i) && is_free(b, i)) {
      slots.a.push_back(i);
    }
  }
  slots.b = slots.a;
  const std::size_t common = slots.a.size();
  for (Index i = 0; i < a.count() && common < count; ++i) {
    if (is_free(a, i) && !is_free(b, i) && slots.a.size() < count) {
      slots.a.push_back(i);
    }
    if (is_free(b, i) && !is_free(a, i) && slots.b.size() < count) {
      slots.b.push_back(i);
    }
  }
  ISTHMUS_ASSERT(slots.a.size() == count && slots.b.size() == count, "pruned ends have l slots");
  return slots;
}

void put_columns(const Units& oracle, const Slots& slots, Matrix& w) {
  for (Index k = 0; k < oracle.count(); ++k) {
    w.row(slots[static_cast<std::size_t>(k)]) = oracle.w.row(k);
  }
}

Matrix weights_at(const Units& oracle, const Slots& slots, Index count) {
  Matrix beta = Matrix::Zero(count, oracle.beta.cols());
  for (Index k = 0; k < oracle.count(); ++k) {
    beta.row(slots[static_cast<std::size_t>(k)]) = oracle.beta.row(k);
  }
  return beta;
}

}  // namespace

std::vector<double> path_nodes(const ReluNetwork& network,
                               const SideNodes& a,
                               const SideNodes& b,
                               const Units& oracle,
                               std::size_t slots) {
  const SlotPair free = choose_slots(a.pruned, b.pruned, slots);
  const Index m = a.start.count();
  std::vector<Units> nodes{a.start, a.lasso, a.pruned};
  Units now = a.pruned;
  const auto put = [&] { nodes.push_back(now); };
  put_columns(oracle, free.a, now.w);
  put();
  now.beta = weights_at(oracle, free.a, m);
  now.c = oracle.c;
  put();
  put_columns(oracle, free.b, now.w);
  put();
  now.beta = weights_at(oracle, free.b, m);
  put();
  now.w = b.pruned.w;
  put_columns(oracle, free.b, now.w);
  put();
  now.beta = b.pruned.beta;
  now.c = b.pruned.c;
  put();
  nodes.insert(nodes.end(), {b.pruned, b.lasso, b.start});
  std::vector<double> points;
  for (const Units& node : nodes) {
    const std::vector<double> theta = theta_of(network, node);
    points.insert(points.end(), theta.begin(), theta.end());
  }
  return points;
}

}  // namespace isthmus::theory
