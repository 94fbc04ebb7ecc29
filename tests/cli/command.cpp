// SPDX-License-Identifier: MIT
#include "command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

namespace isthmus::testing {
namespace {

constexpr unsigned longest_seconds = 240;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.is_regular_file() && name != "timing.json") {
      files[name] = bytes_of(entry.path());
    }
  }
  return files;
}

}  // namespace

Process::Process(const std::filesystem::path& folder,
                 const Arguments& arguments,
                 const Surroundings& surroundings) {
  std::vector<std::string> words{ISTHMUS_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables{"HOME=" + (output_ / "home").string(),
                                     "XDG_DATA_HOME=" + (output_ / "xdg").string()};
  // Under a sanitizer its options go on to the command.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) {
      variables.push_back(std::string(name) + "=" + value);
    }
  }
  const std::vector<char*> argv = pointers(words);
  const std::vector<char*> environment = pointers(variables);
  const std::string out =
      surroundings.output.empty() ? (output_ / "out").string() : surroundings.output;
  const std::string err = output_ / "err";
  id_ = ::fork();
  if (id_ != 0) {
    return;
  }
  const int descriptors[] = {::open("/dev/null", O_RDONLY),
                             ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644),
                             ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644)};
  for (int i = 0; i < 3; ++i) {
    ::dup2(descriptors[i], i);
  }
  if (surroundings.largest_file) {
    const rlimit limit{*surroundings.largest_file, *surroundings.largest_file};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::alarm(longest_seconds);
  if (::chdir(folder.c_str()) == 0) {
    ::execve(argv[0], argv.data(), environment.data());
  }
  ::_exit(127);
}

Process::~Process() {
  if (!ended_) {
    send(SIGKILL);
    wait();
  }
}

void Process::send(int signal) const {
  ::kill(id_, signal);
}

void Process::take_status(int status) {
  ended_ = true;
  outcome_ = {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
              .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
              .out = bytes_of(output_ / "out"),
              .err = bytes_of(output_ / "err")};
}

bool Process::running() {
  int status = 0;
  if (!ended_ && ::waitpid(id_, &status, WNOHANG) == id_) {
    take_status(status);
  }
  return !ended_;
}

Outcome Process::wait() {
  int status = 0;
  if (!ended_ && ::waitpid(id_, &status, 0) == id_) {
    take_status(status);
  }
  return outcome_;
}

Outcome run(const std::filesystem::path& folder,
            const Arguments& arguments,
            const Surroundings& surroundings) {
  return Process(folder, arguments, surroundings).wait();
}

void expect_outcome(const Outcome& outcome,
                    int code,
                    std::initializer_list<std::string_view> parts) {
  EXPECT_EQ(outcome.code, code) << "signal " << outcome.signal << "\n" << outcome.err;
  for (const std::string_view part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos)
        << "expected '" << part << "' on standard error:\n"
        << outcome.err;
  }
  if (code != 0 && code != 130) {
    EXPECT_NE(outcome.err.find("isthmus: "), std::string::npos) << outcome.err;
  }
}

Outcome expect_run(const std::filesystem::path& folder,
                   const Arguments& arguments,
                   int code,
                   std::initializer_list<std::string_view> parts) {
  std::string command;
  for (const std::string& word : arguments) {
    command += " " + word;
  }
  SCOPED_TRACE("isthmus" + command);
  Outcome outcome = run(folder, arguments);
  expect_outcome(outcome, code, parts);
  return outcome;
}

void expect_same_runs(const std::filesystem::path& run, const std::filesystem::path& expected) {
  const auto found = contents(run);
  for (const auto& [name, bytes] : contents(expected)) {
    const auto other = found.find(name);
    EXPECT_TRUE(other != found.end()) << name << " is missing";
    EXPECT_TRUE(other == found.end() || other->second == bytes) << name << " differs";
  }
  EXPECT_EQ(found.size(), contents(expected).size());
}

std::vector<std::vector<std::string>> read_table(const std::filesystem::path& file) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream text(bytes_of(file));
  for (std::string line; std::getline(text, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) {
      rows.back().push_back(field);
    }
  }
  return rows;
}

std::string cell_of(const std::filesystem::path& table, std::string_view heading) {
  const auto rows = read_table(table);
  if (rows.size() < 2) {
    ADD_FAILURE() << table << " has no row";
    return {};
  }
  const auto column = std::ranges::find(rows[0], heading) - rows[0].begin();
  return rows[1].at(static_cast<std::size_t>(column));
}

void replace_in(const std::filesystem::path& file, std::string_view old, std::string_view by) {
  std::string content = bytes_of(file);
  const std::size_t place = content.find(old);
  ASSERT_NE(place, std::string::npos) << old << " is not in " << file;
  content.replace(place, old.size(), by);
  std::ofstream(file, std::ios::binary) << content;
}

std::size_t files_in(const std::filesystem::path& folder, std::string_view extension) {
  std::error_code error;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    count += entry.path().extension() == extension ? 1 : 0;
  }
  return count;
}

}  // namespace isthmus::testing
