// SPDX-License-Identifier: MIT
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "isthmus/strings/string_callbacks.h"

namespace isthmus::testing {

/// A journal and its parts in memory; dies instead of keeping piece number `dies_at` of all of
/// them, and of pieces that it has.
class PartedJournal {
 public:
  std::size_t dies_at = std::numeric_limits<std::size_t>::max();

  /// The journal of the whole.
  std::unique_ptr<StringJournal> open() { return std::make_unique<Part>(*this, ""); }
  std::size_t kept() const { return kept_; }
  /// Beads of a part.
  std::size_t beads(std::string_view part) { return parts_[std::string(part)].beads.size(); }

 private:
  struct Pieces {
    std::map<std::size_t, BeadRecord> beads;
    std::map<std::pair<std::size_t, std::size_t>, SegmentCheck> checks;
  };

  class Part final : public StringJournal {
   public:
    Part(PartedJournal& whole, std::string name) : whole_(whole), name_(std::move(name)) {}

    std::optional<BeadRecord> find_bead(std::size_t bead) override {
      return find(&Pieces::beads, bead);
    }
    void keep_bead(std::size_t bead, const BeadRecord& record) override {
      keep(&Pieces::beads, bead, record);
    }
    std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) override {
      return find(&Pieces::checks, std::pair(left, right));
    }
    void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) override {
      keep(&Pieces::checks, std::pair(left, right), check);
    }
    std::unique_ptr<StringJournal> part(std::string_view name) override {
      return std::make_unique<Part>(whole_, name_ + "/" + std::string(name));
    }

   private:
    template <class Key, class Value>
    std::optional<Value> find(std::map<Key, Value> Pieces::*pieces, const Key& key) {
      const std::lock_guard lock(whole_.mutex_);
      const auto& known = whole_.parts_[name_].*pieces;
      const auto found = known.find(key);
      return found == known.end() ? std::nullopt : std::optional(found->second);
    }
    template <class Key, class Value>
    void keep(std::map<Key, Value> Pieces::*pieces, const Key& key, const Value& value) {
      const std::lock_guard lock(whole_.mutex_);
      if (whole_.kept_++ == whole_.dies_at) {
        throw std::runtime_error("power failure");
      }
      if (!(whole_.parts_[name_].*pieces).emplace(key, value).second) {
        throw std::logic_error("a piece is kept twice");
      }
    }

    PartedJournal& whole_;
    std::string name_;
  };

  std::mutex mutex_;
  std::map<std::string, Pieces> parts_;
  std::size_t kept_ = 0;
};

}  // namespace isthmus::testing
