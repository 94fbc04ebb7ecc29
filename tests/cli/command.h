// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/temporary_folder.h"

namespace isthmus::testing {

using Arguments = std::vector<std::string>;

/// How a process ended.
struct Outcome {
  int code = -1;   ///< exit code; -1 if a signal ended it
  int signal = 0;  ///< which one
  std::string out;
  std::string err;
};

/// What surrounds a process.
struct Surroundings {
  std::optional<std::uint64_t> largest_file;  ///< bytes: a disk that fills up
  std::string output;                         ///< a file or device instead of keeping the output
};

/// The command in a process of its own, in `folder`, with an environment in which it finds no data
/// sets but those it is told of. A process that hangs is ended after minutes.
class Process {
 public:
  Process(const std::filesystem::path& folder,
          const Arguments& arguments,
          const Surroundings& surroundings = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const;
  bool running();
  Outcome wait();

 private:
  void take_status(int status);

  TemporaryFolder output_;
  pid_t id_ = -1;
  bool ended_ = false;
  Outcome outcome_;
};

/// Runs it to its end.
Outcome run(const std::filesystem::path& folder,
            const Arguments& arguments,
            const Surroundings& surroundings = {});

/// Expects an exit code, and for a failure a message on standard error that has every part.
void expect_outcome(const Outcome& outcome,
                    int code,
                    std::initializer_list<std::string_view> parts = {});

/// Runs it and expects that.
Outcome expect_run(const std::filesystem::path& folder,
                   const Arguments& arguments,
                   int code,
                   std::initializer_list<std::string_view> parts = {});

/// Expects the files of two run directories to be the same bit by bit, but for timing.json.
void expect_same_runs(const std::filesystem::path& run, const std::filesystem::path& expected);

/// The rows of a CSV file, heading included.
std::vector<std::vector<std::string>> read_table(const std::filesystem::path& file);

/// The text in the first data row under a heading.
std::string cell_of(const std::filesystem::path& table, std::string_view heading);

/// Replaces the first occurrence of `old` in a file; it must occur.
void replace_in(const std::filesystem::path& file, std::string_view old, std::string_view by);

/// How many entries of that extension lie directly in a folder; 0 if it is not there.
std::size_t files_in(const std::filesystem::path& folder, std::string_view extension);

}  // namespace isthmus::testing
