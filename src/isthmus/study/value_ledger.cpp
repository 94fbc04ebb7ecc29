// SPDX-License-Identifier: MIT
#include "isthmus/study/value_ledger.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"

namespace isthmus {

ValueLedger::ValueLedger(std::size_t count,
                         std::size_t width,
                         std::filesystem::path file,
                         std::string key,
                         std::function<void(std::size_t)> progress)
    : width_(width),
      file_(std::move(file)),
      key_(std::move(key)),
      progress_(std::move(progress)),
      known_(count),
      values_(count * width, std::numeric_limits<double>::quiet_NaN()) {
  take_up();
}

void ValueLedger::keep(std::size_t row, std::span<const double> values) {
  const std::lock_guard lock(mutex_);
  std::ranges::copy(values, values_.begin() + static_cast<std::ptrdiff_t>(row * width_));
  known_[row] = 1;
  ++done_;
  if (progress_) {
    progress_(done_);
  }
  if (Clock::now() - last_ > std::chrono::seconds(5)) {
    write();
  }
}

void ValueLedger::write() {
  if (file_.empty()) {
    return;
  }
  Json rows = Json::array();
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (known_[i] == 0) {
      continue;
    }
    Json row = Json::array({i});
    for (std::size_t k = 0; k < width_; ++k) {
      row.push_back(number_or_null(values_[i * width_ + k]));
    }
    rows.push_back(std::move(row));
  }
  write_file(file_, Json{{"key", key_}, {"rows", std::move(rows)}}.dump() + "\n");
  last_ = Clock::now();
}

// A file that is damaged, or of something else, is written again.
void ValueLedger::take_up() {
  if (file_.empty() || !std::filesystem::exists(file_)) {
    return;
  }
  try {
    const Json json = read_json(file_);
    if (json.at("key") != key_) {
      return;
    }
    for (const Json& row : json.at("rows")) {
      const auto point = row.at(0).get<std::size_t>();
      if (point >= known_.size() || row.size() != width_ + 1) {
        continue;
      }
      for (std::size_t k = 0; k < width_; ++k) {
        values_[point * width_ + k] = number_or_nan(row.at(k + 1));
      }
      known_[point] = 1;
    }
  } catch (const Json::exception&) {
  } catch (const DataError&) {
  }
  done_ = static_cast<std::size_t>(std::ranges::count(known_, 1));
}

}  // namespace isthmus
