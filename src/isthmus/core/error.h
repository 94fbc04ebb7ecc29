// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

namespace isthmus {

/// What a process of this project tells its caller on exit (the values of sysexits.h).
enum class ExitCode : int {
  ok = 0,
  not_proven = 1,      ///< a proof was asked for, and the statement is false or stays open
  usage = 64,          ///< the caller asked for something that does not exist or does not fit
  bad_data = 65,       ///< a file is there, but does not say what it must
  missing_input = 66,  ///< a file or data set is not there
  internal = 70,       ///< our fault
  cannot_write = 73,   ///< an output could not be made: no permission, no space
  configuration = 78,  ///< a run directory of another configuration or version
  interrupted = 130,   ///< stopped by the user; what was finished is saved
};

/// The base of everything that this library throws on purpose. The message says what was expected,
/// what came, and what to do; it names the file where there is one.
/// Numerical outcomes (not converged, diverged, not connected) are never exceptions: they are
/// values of the summaries.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// The caller's fault: an option or argument out of its range, shapes that do not fit.
struct UsageError : Error {
  explicit UsageError(const std::string& message) : Error(ExitCode::usage, message) {}
};
/// A file with wrong content: truncated, oversized, corrupted, of the wrong kind.
struct DataError : Error {
  explicit DataError(const std::string& message) : Error(ExitCode::bad_data, message) {}
};
/// A file or data set that is not there.
struct MissingInput : Error {
  explicit MissingInput(const std::string& message) : Error(ExitCode::missing_input, message) {}
};
/// A broken invariant of this library.
struct InternalError : Error {
  explicit InternalError(const std::string& message) : Error(ExitCode::internal, message) {}
};
/// An output that could not be written.
struct WriteError : Error {
  explicit WriteError(const std::string& message) : Error(ExitCode::cannot_write, message) {}
};
/// A run directory that belongs to another configuration or version.
struct ConfigurationError : Error {
  explicit ConfigurationError(const std::string& message)
      : Error(ExitCode::configuration, message) {}
};
/// Work was stopped on request (see Stop); everything finished before is saved.
struct Interrupted : Error {
  explicit Interrupted(const std::string& message) : Error(ExitCode::interrupted, message) {}
};

/// Throws InternalError with the place; for invariants of our own, on in every build.
[[noreturn]] void fail_invariant(const char* condition,
                                 const char* why,
                                 const char* file,
                                 int line);

}  // namespace isthmus

#define ISTHMUS_ASSERT(condition, why) \
  ((condition) ? void(0) : ::isthmus::fail_invariant(#condition, why, __FILE__, __LINE__))
