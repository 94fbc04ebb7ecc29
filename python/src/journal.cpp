// SPDX-License-Identifier: MIT
#include "journal.h"

namespace isthmus::python {
namespace {

template <class Map>
auto found_in(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

class Writer final : public StringJournal {
 public:
  explicit Writer(std::shared_ptr<MemoryJournal> memory) : memory_(std::move(memory)) {}
  std::optional<BeadRecord> find_bead(std::size_t bead) override {
    return memory_->find_bead(bead);
  }
  void keep_bead(std::size_t bead, const BeadRecord& record) override {
    memory_->keep_bead(bead, record);
  }
  std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) override {
    return memory_->find_check(left, right);
  }
  void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) override {
    memory_->keep_check(left, right, check);
  }
  std::unique_ptr<StringJournal> part(std::string_view name) override {
    return journal_on(memory_->part(name));
  }

 private:
  std::shared_ptr<MemoryJournal> memory_;
};

}  // namespace

std::optional<BeadRecord> MemoryJournal::find_bead(std::size_t bead) const {
  const std::lock_guard lock(mutex_);
  return found_in(beads_, bead);
}

void MemoryJournal::keep_bead(std::size_t bead, const BeadRecord& record) {
  const std::lock_guard lock(mutex_);
  beads_.insert_or_assign(bead, record);
}

std::optional<SegmentCheck> MemoryJournal::find_check(std::size_t left, std::size_t right) const {
  const std::lock_guard lock(mutex_);
  return found_in(checks_, std::pair(left, right));
}

void MemoryJournal::keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) {
  const std::lock_guard lock(mutex_);
  checks_.insert_or_assign(std::pair(left, right), check);
}

std::shared_ptr<MemoryJournal> MemoryJournal::part(std::string_view name) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<MemoryJournal>& part = parts_[std::string(name)];
  if (!part) {
    part = std::make_shared<MemoryJournal>();
  }
  return part;
}

std::size_t MemoryJournal::beads() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = beads_.size();
  for (const auto& [name, part] : parts_) {
    count += part->beads();
  }
  return count;
}

std::size_t MemoryJournal::checks() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = checks_.size();
  for (const auto& [name, part] : parts_) {
    count += part->checks();
  }
  return count;
}

bool MemoryJournal::belongs_to(const std::string& work) {
  const std::lock_guard lock(mutex_);
  if (work_.empty()) {
    work_ = work;
  }
  return work_ == work;
}

std::unique_ptr<StringJournal> journal_on(std::shared_ptr<MemoryJournal> memory) {
  return std::make_unique<Writer>(std::move(memory));
}

}  // namespace isthmus::python
