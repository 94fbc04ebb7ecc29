// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace isthmus {

/// Numbers that are computed row by row in any order, and kept in a file meanwhile, so that work
/// that was stopped goes on. keep() may be called from several threads at once.
class ValueLedger {
 public:
  /// `count` rows of `width` numbers, NaN until they are known. Takes up what `file` has under the
  /// same `key`; one that is damaged or of another key is passed over. An empty `file` keeps
  /// nothing. `progress` is told how many rows are done, one call at a time.
  ValueLedger(std::size_t count,
              std::size_t width,
              std::filesystem::path file,
              std::string key,
              std::function<void(std::size_t done)> progress = {});

  bool known(std::size_t row) const { return known_[row] != 0; }
  /// Sets a row; the file is written every few seconds.
  void keep(std::size_t row, std::span<const double> values);
  /// Writes the file now. Throws WriteError.
  void write();
  /// (count, width) row-major, bit for bit as they were kept; infinities come back as NaN.
  const std::vector<double>& values() const { return values_; }

 private:
  using Clock = std::chrono::steady_clock;

  void take_up();

  std::size_t width_;
  std::filesystem::path file_;
  std::string key_;
  std::function<void(std::size_t)> progress_;
  std::vector<unsigned char> known_;
  std::vector<double> values_;
  std::size_t done_ = 0;
  std::mutex mutex_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace isthmus
