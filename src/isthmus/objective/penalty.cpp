// SPDX-License-Identifier: MIT
#include "isthmus/objective/penalty.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::string_view expected =
    "penalty: expected none, l1:STRENGTH or l2:STRENGTH with a number > 0, and :weights behind it "
    "to leave biases out (l2:0.0001:weights)";

template <class Number>
double sum_over(const Penalty& penalty,
                std::span<const IndexRange> ranges,
                std::span<const Number> theta) {
  double sum = 0.0;
  for (const IndexRange& range : ranges) {
    for (const Number number : theta.subspan(range.offset, range.size)) {
      const auto x = static_cast<double>(number);
      sum += penalty.kind == Penalty::Kind::l1 ? std::abs(x) : x * x;
    }
  }
  return sum;
}

}  // namespace

void validate(const Penalty& penalty) {
  if (penalty.any() && !(penalty.strength > 0.0 && std::isfinite(penalty.strength))) {
    throw UsageError(fmt::format(
        "penalty: expected a finite strength > 0 (leave the penalty out for none), got {}",
        penalty.strength));
  }
}

std::string text_of(const Penalty& penalty) {
  if (!penalty.any()) {
    return "none";
  }
  return fmt::format("{}:{}{}",
                     name_of(penalty.kind),
                     penalty.strength,
                     penalty.over == Penalty::Over::weights ? ":weights" : "");
}

Penalty penalty_of(std::string_view text) {
  if (text == "none") {
    return {};
  }
  Penalty penalty;
  std::string_view rest = text;
  const auto next_field = [&rest] {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view field = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return field;
  };
  const std::string_view kind = next_field();
  const std::string_view strength = next_field();
  const auto [end, error] =
      std::from_chars(strength.data(), strength.data() + strength.size(), penalty.strength);
  const bool is_number = error == std::errc{} && end == strength.data() + strength.size();
  if ((kind != "l1" && kind != "l2") || !is_number || text.ends_with(':') ||
      !(rest.empty() || rest == "weights")) {
    throw UsageError(fmt::format("{}, got '{}'", expected, text));
  }
  penalty.kind = kind == "l1" ? Penalty::Kind::l1 : Penalty::Kind::l2;
  penalty.over = rest.empty() ? Penalty::Over::all : Penalty::Over::weights;
  validate(penalty);
  return penalty;
}

bool includes_penalty(Metric metric) {
  return metric != Metric::error_rate && metric != Metric::perplexity;
}

std::vector<IndexRange> penalized(const Penalty& penalty, const Layout& layout) {
  std::vector<IndexRange> ranges;
  for (const Tensor& tensor : layout.tensors()) {
    if (penalty.any() && (penalty.over == Penalty::Over::all || tensor.role == Role::weight)) {
      ranges.push_back({tensor.offset, tensor.size()});
    }
  }
  return ranges;
}

PenaltyTerm::PenaltyTerm(const Penalty& penalty, const Layout& layout)
    : penalty_(penalty), ranges_(penalized(penalty, layout)) {
  validate(penalty);
}

double PenaltyTerm::value(std::span<const float> theta) const {
  return penalty_.any() ? penalty_.strength * sum_over(penalty_, ranges_, theta) : 0.0;
}

double PenaltyTerm::value(std::span<const double> theta) const {
  return penalty_.any() ? penalty_.strength * sum_over(penalty_, ranges_, theta) : 0.0;
}

void PenaltyTerm::add_gradient(std::span<const float> theta, std::span<float> gradient) const {
  for (const IndexRange& range : ranges_) {
    for (std::size_t i = range.offset; i < range.offset + range.size; ++i) {
      const auto x = static_cast<double>(theta[i]);
      const double slope = penalty_.kind == Penalty::Kind::l2 ? 2.0 * x
                           : x == 0.0                         ? 0.0
                                                              : std::copysign(1.0, x);
      gradient[i] =
          static_cast<float>(static_cast<double>(gradient[i]) + penalty_.strength * slope);
    }
  }
}

}  // namespace isthmus
