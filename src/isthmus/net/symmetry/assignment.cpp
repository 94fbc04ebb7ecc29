// SPDX-License-Identifier: MIT
#include "isthmus/net/symmetry/assignment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();

class Solver {
 public:
  Solver(std::span<const float> costs, std::size_t n)
      : costs_(costs), n_(n), price_(n), row_of_(n, nobody), column_of_(n, nobody) {}

  std::vector<std::uint32_t> solve() {
    reduce_columns();
    for (int pass = 0; pass < 2; ++pass) {
      reduce_rows();
    }
    for (std::uint32_t row = 0; row < n_; ++row) {
      if (column_of_[row] == nobody) {
        augment(row);
      }
    }
    return std::move(column_of_);
  }

 private:
  const float* row(std::size_t i) const { return costs_.data() + i * n_; }

  void match(std::uint32_t i, std::uint32_t j) {
    column_of_[i] = j;
    row_of_[j] = i;
  }

  // The price of a column is its least cost; the row of that takes it if it is free.
  void reduce_columns() {
    std::vector<std::uint32_t> least(n_, 0);
    for (std::size_t j = 0; j < n_; ++j) {
      price_[j] = n_ == 0 ? 0.0 : row(0)[j];
    }
    for (std::uint32_t i = 1; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        if (row(i)[j] < price_[j]) {
          price_[j] = row(i)[j];
          least[j] = i;
        }
      }
    }
    for (std::uint32_t j = 0; j < n_; ++j) {
      if (column_of_[least[j]] == nobody) {
        match(least[j], j);
      }
    }
  }

  // A free row bids for its cheapest column what makes the second cheapest as dear, and whoever
  // held that column is free again. Ends after a fixed number of bids; what stays free is
  // augmented.
  void reduce_rows() {
    std::vector<std::uint32_t> free;
    for (std::uint32_t i = 0; i < n_; ++i) {
      if (column_of_[i] == nobody) {
        free.push_back(i);
      }
    }
    std::size_t bids = 4 * free.size();
    while (!free.empty() && bids-- > 0) {
      const std::uint32_t i = free.back();
      free.pop_back();
      double first = std::numeric_limits<double>::infinity();
      double second = first;
      std::uint32_t column = 0;
      for (std::uint32_t j = 0; j < n_; ++j) {
        const double reduced = row(i)[j] - price_[j];
        if (reduced < first) {
          second = first;
          first = reduced;
          column = j;
        } else if (reduced < second) {
          second = reduced;
        }
      }
      const std::uint32_t holder = row_of_[column];
      if (std::isfinite(second)) {
        price_[column] -= second - first;
      }
      if (holder != nobody && !(second > first)) {
        continue;  // a tie: nobody is driven out
      }
      match(i, column);
      if (holder != nobody) {
        column_of_[holder] = nobody;
        free.push_back(holder);
      }
    }
  }

  // The shortest path from a free row to a free column in reduced costs (Dijkstra), along which
  // partners are exchanged.
  void augment(std::uint32_t start) {
    std::vector<double> distance(n_, std::numeric_limits<double>::infinity());
    std::vector<std::uint32_t> before(n_, start);
    std::vector<std::uint32_t> open(n_);
    for (std::uint32_t j = 0; j < n_; ++j) {
      open[j] = j;
    }
    std::vector<std::uint32_t> closed;
    std::uint32_t i = start;
    double reached = 0.0;
    std::uint32_t column = nobody;
    while (true) {
      // Of a matched row the reduced cost of its own column is 0 by definition.
      const double own = i == start ? 0.0 : row(i)[column_of_[i]] - price_[column_of_[i]];
      double least = std::numeric_limits<double>::infinity();
      std::size_t place = 0;
      for (std::size_t k = 0; k < open.size(); ++k) {
        const std::uint32_t j = open[k];
        const double through = reached + (row(i)[j] - price_[j] - own);
        if (through < distance[j]) {
          distance[j] = through;
          before[j] = i;
        }
        if (distance[j] < least ||
            (distance[j] == least && row_of_[j] == nobody && row_of_[open[place]] != nobody)) {
          least = distance[j];
          place = k;
        }
      }
      column = open[place];
      reached = least;
      if (row_of_[column] == nobody) {
        break;
      }
      closed.push_back(column);
      open[place] = open.back();
      open.pop_back();
      i = row_of_[column];
    }
    for (const std::uint32_t j : closed) {
      price_[j] += distance[j] - reached;
    }
    while (true) {
      const std::uint32_t owner = before[column];
      const std::uint32_t next = column_of_[owner];
      match(owner, column);
      if (owner == start) {
        return;
      }
      column = next;
    }
  }

  std::span<const float> costs_;
  std::size_t n_;
  std::vector<double> price_;
  std::vector<std::uint32_t> row_of_;
  std::vector<std::uint32_t> column_of_;
};

}  // namespace

std::vector<std::uint32_t> assign(std::span<const float> costs, std::size_t n) {
  if (costs.size() != n * n) {
    throw UsageError(fmt::format("assign: expected {} costs, got {}", n * n, costs.size()));
  }
  if (!std::ranges::all_of(costs, [](float cost) { return std::isfinite(cost); })) {
    throw UsageError("assign: expected finite costs");
  }
  return Solver(costs, n).solve();
}

}  // namespace isthmus
