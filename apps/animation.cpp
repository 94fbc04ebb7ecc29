// SPDX-License-Identifier: MIT
// The growing string as a moving picture, by ffmpeg where there is one.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/report/string_figure.h"
#include "pictures.h"

extern char** environ;

namespace isthmus::app {
namespace {

namespace fs = std::filesystem;

// Runs a program found in PATH, its output thrown away. Returns whether it ended with 0.
bool run_quietly(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // NOLINT(*-const-cast): of the interface
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process = 0;
  const int failed =
      posix_spawnp(&process, arguments.front(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return failed == 0 && waitpid(process, &status, 0) == process && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

// What an ending asks of the encoder, between its input and its output.
std::vector<std::string> encoding_of(std::string_view ending) {
  if (ending == ".gif") {
    return {"-filter_complex", "split[a][b];[a]palettegen[p];[b][p]paletteuse", "-loop", "0"};
  }
  if (ending == ".mp4") {
    return {"-pix_fmt", "yuv420p", "-movflags", "+faststart"};
  }
  if (ending == ".apng") {
    return {"-f", "apng", "-plays", "0"};
  }
  throw UsageError(
      fmt::format("--animate: expected a name that ends in .gif, .mp4 or .apng, got '{}'", ending));
}

}  // namespace

std::string write_animation(const PageCell& cell, const RunRecord& run, const fs::path& file) {
  const std::vector<std::string> encoding = encoding_of(file.extension().string());
  const PathPicture& picture = *cell.picture;
  const StringFigure figure{.picture = picture,
                            .title = run.task,
                            .metric = metric_label(run.metric),
                            .threshold = cell.row.threshold,
                            .lower_bound = cell.lower_bound};
  fs::path frames = file;
  frames.replace_extension(".frames");
  make_folder(frames);
  const std::size_t last = picture.rounds().value_or(0);
  constexpr std::size_t rest = 4;  // frames at its end
  for (std::size_t i = 0; i <= last + rest; ++i) {
    write_file(frames / fmt::format("{:04}.svg", i), svg_string(figure, std::min(i, last)));
  }
  fs::path partial = file;
  partial.replace_filename("." + file.stem().string() + "-unfinished" + file.extension().string());
  std::vector<std::string> words{
      "ffmpeg", "-y", "-framerate", "2", "-i", (frames / "%04d.svg").string()};
  words.insert(words.end(), encoding.begin(), encoding.end());
  words.push_back(partial.string());
  std::error_code ignored;
  if (!run_quietly(words)) {
    fs::remove(partial, ignored);
    return fmt::format("Animation: ffmpeg is missing, or reads no SVG; the {} frames are in {}",
                       last + 1,
                       frames.string());
  }
  fs::rename(partial, file);
  fs::remove_all(frames, ignored);
  return fmt::format("Animation: {}", file.string());
}

}  // namespace isthmus::app
