// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "isthmus/strings/string_callbacks.h"

namespace isthmus::python {

/// What a string has finished, in memory, with the journals of its parts.
class MemoryJournal {
 public:
  std::optional<BeadRecord> find_bead(std::size_t bead) const;
  void keep_bead(std::size_t bead, const BeadRecord& record);
  std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) const;
  void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check);
  std::shared_ptr<MemoryJournal> part(std::string_view name);

  /// Of this journal and its parts.
  std::size_t beads() const;
  std::size_t checks() const;

  /// What the journal belongs to; the first one that is told is kept. Whether it is that.
  bool belongs_to(const std::string& work);

 private:
  mutable std::mutex mutex_;
  std::string work_;
  std::map<std::size_t, BeadRecord> beads_;
  std::map<std::pair<std::size_t, std::size_t>, SegmentCheck> checks_;
  std::map<std::string, std::shared_ptr<MemoryJournal>, std::less<>> parts_;
};

/// The journal that a string writes to.
std::unique_ptr<StringJournal> journal_on(std::shared_ptr<MemoryJournal> memory);

}  // namespace isthmus::python
