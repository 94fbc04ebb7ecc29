// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/reason.h"
#include "isthmus/strings/string_callbacks.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// A parameter vector with the record of its training and its target. Throws WriteError.
void write_theta(const std::filesystem::path& file, const Snapshot& snapshot);
/// None where there is no such file. Throws DataError if it is damaged.
std::optional<Snapshot> read_theta(const std::filesystem::path& file);

/// The pieces of a string under way, a file each, in a folder of their own.
class DiskJournal final : public StringJournal {
 public:
  DiskJournal(std::filesystem::path folder, double checkpoint_seconds);

  std::optional<BeadRecord> find_bead(std::size_t bead) override;
  void keep_bead(std::size_t bead, const BeadRecord& record) override;
  std::optional<SegmentCheck> find_check(std::size_t left, std::size_t right) override;
  void keep_check(std::size_t left, std::size_t right, const SegmentCheck& check) override;
  std::unique_ptr<StringJournal> part(std::string_view name) override;
  std::optional<TrainCheckpoint> checkpoint(std::size_t bead) override;

 private:
  std::filesystem::path bead_file(std::size_t bead) const;
  std::filesystem::path check_file(std::size_t left, std::size_t right) const;

  std::filesystem::path folder_;
  double checkpoint_seconds_;
};

/// A piece of a run that cannot be read: the message has its file and what to do.
DataError damaged_piece(const std::filesystem::path& file, std::string_view reason);

/// Reads a piece of a run by `read`; what is wrong with it is thrown as damaged_piece().
template <class Read>
auto read_piece(const std::filesystem::path& file, const Read& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw damaged_piece(file, error.what());
  } catch (const Error& error) {
    throw damaged_piece(file, reason_of(error, file.string()));
  }
}

}  // namespace isthmus
