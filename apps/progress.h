// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "isthmus/study/study.h"

namespace isthmus::app {

/// Shows how a study, or the training of one network, goes on standard error: one line that is
/// written over on a terminal, plain lines elsewhere, with an estimate of the time that is left.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(const StudyOptions& options);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void show(const StudyProgress& event);

 private:
  using Clock = std::chrono::steady_clock;

  std::string status(const StudyProgress& event) const;
  std::string cell_line(const StudyProgress& event) const;
  std::string estimate(const StudyProgress& event) const;
  void line(const std::string& text);    // stays
  void update(const std::string& text);  // is written over by the next one

  bool terminal_;
  bool percent_;    // error rates read better as percentages
  bool few_cells_;  // few enough for a line each
  std::size_t resumed_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = Clock::now();
  bool open_line_ = false;
};

}  // namespace isthmus::app
