// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/run_schema.h"
#include "isthmus/core/stop.h"
#include "isthmus/path/path_file.h"
#include "isthmus/strings/string_callbacks.h"

namespace isthmus {

/// A finished cell: its row of cells.csv, and what the row has no column for.
struct CellRecord {
  CellRow row;
  Json details;  ///< reason, lengths, barriers, costs; see docs/run_directory.md
};

/// Above 10,000 parameters a string takes minutes: its end points, beads and checks are kept one by
/// one.
inline bool is_kept_in_pieces(const Objective& objective) {
  return objective.dimension() >= 10000;
}

/// A run on disk. Every finished piece is written under a temporary name and renamed into place, so
/// a process that dies at any moment leaves a directory that can be resumed. One process at a time
/// works on it (a lock says so); the functions may be called from several threads at once.
class RunDirectory {
 public:
  /// Makes a new directory, or opens one with the same configuration to go on with it; pairs,
  /// thresholds and budgets of a string may be more, and cells that met a smaller budget are then
  /// forgotten.
  /// Throws UsageError if the folder has a run already and `resume` is false, or has other files,
  /// or if another process works on it; ConfigurationError if it is of another configuration or
  /// version (the message names what differs); DataError if it is damaged; WriteError.
  RunDirectory(std::filesystem::path folder, const Json& config, bool resume);
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

  /// A cell that was finished before. Throws DataError if its file is damaged.
  std::optional<CellRecord> find_cell(double threshold, std::size_t pair) const;
  /// Keeps a finished cell and its path, and forgets its checkpoint.
  void keep_cell(const CellRecord& record, const PathFile& path);

  /// End points, each under a name of the caller's.
  std::optional<Snapshot> find_endpoint(const std::string& name) const;
  void keep_endpoint(const std::string& name, const Snapshot& snapshot);

  /// How often the state of a training is kept; it changes no result. Before anything else.
  void set_checkpoint_seconds(double seconds) { checkpoint_seconds_ = seconds; }
  /// Where the training of an end point keeps its state; it outlives the run (see
  /// forget_checkpoints), so that a run with smaller thresholds goes on from it.
  TrainCheckpoint endpoint_state(const std::string& name) const;
  /// Throws Interrupted, with the way to go on, if a stop is requested.
  void obey(const Stop* stop) const;
  /// Beads and checks of a string under way.
  std::unique_ptr<StringJournal> journal(double threshold, std::size_t pair);

  /// Writes cells.csv and curve.csv from the cells given, finished or not.
  void write_tables(const std::vector<CellRow>& rows) const;
  /// Writes a JSON file of the directory.
  void write(std::string_view file, const Json& value) const;
  /// Removes the checkpoints: everything is in the cells.
  void forget_checkpoints();

 private:
  std::filesystem::path cell_file(double threshold, std::size_t pair) const;
  std::filesystem::path checkpoint() const { return folder_ / "checkpoint"; }
  void take_lock();
  void forget_partial_files() const;
  void compare_configuration(const Json& config) const;
  void forget_cells_at_a_budget() const;
  void forget_journals() const;

  std::filesystem::path folder_;
  double checkpoint_seconds_ = 60.0;  // a state is 40 to 60 MB for the largest task
  int lock_ = -1;
};

}  // namespace isthmus
