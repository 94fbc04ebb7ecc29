// SPDX-License-Identifier: MIT
#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "isthmus/core/files.h"

namespace isthmus::app {
namespace {

std::string duration_text(double seconds) {
  if (seconds < 60.0) {
    return fmt::format("{:.0f} s", seconds);
  }
  if (seconds < 3600.0) {
    return fmt::format(
        "{:.0f} min {:02.0f} s", std::floor(seconds / 60.0), std::fmod(seconds, 60.0));
  }
  return fmt::format("{:.0f} h {:02.0f} min",
                     std::floor(seconds / 3600.0),
                     std::floor(std::fmod(seconds, 3600.0) / 60.0));
}

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

}  // namespace

ProgressDisplay::ProgressDisplay(const StudyOptions& options)
    : terminal_(isatty(STDERR_FILENO) == 1),
      percent_(options.string.grid.metric == Metric::error_rate),
      few_cells_(options.thresholds.size() * options.pairs <= 40) {
}

ProgressDisplay::~ProgressDisplay() {
  if (open_line_) {
    std::fputs("\r\033[K", stderr);
  }
}

void ProgressDisplay::line(const std::string& text) {
  if (open_line_) {
    std::fputs("\r\033[K", stderr);
    open_line_ = false;
  }
  std::fprintf(stderr, "%s\n", text.c_str());
}

void ProgressDisplay::update(const std::string& text) {
  const auto now = Clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(15000);
  if (now - last_ < pause) {
    return;
  }
  last_ = now;
  if (!terminal_) {
    line(text);
    return;
  }
  std::fprintf(stderr, "\r\033[K%s", text.substr(0, terminal_width() - 1).c_str());
  std::fflush(stderr);
  open_line_ = true;
}

std::string ProgressDisplay::estimate(const StudyProgress& event) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  if (event.cells_total == 0) {
    return duration_text(elapsed);
  }
  const std::size_t done = event.cells_done - resumed_;
  std::string text =
      fmt::format("{}/{} cells, {}", event.cells_done, event.cells_total, duration_text(elapsed));
  if (done > 0 && event.cells_done < event.cells_total) {
    const double left = elapsed / static_cast<double>(done) *
                        static_cast<double>(event.cells_total - event.cells_done);
    text += fmt::format(", about {} left", duration_text(left));
  }
  return text;
}

std::string ProgressDisplay::cell_line(const StudyProgress& event) const {
  const CellRow& row = event.row;
  const double scale = percent_ ? 100.0 : 1.0;
  return fmt::format("pair {} at {:g}{}: {}{}{}{}, length {:.4f}, {} beads, max {:.4g}{}",
                     event.pair,
                     event.threshold * scale,
                     percent_ ? " %" : "",
                     name_of(row.verdict),
                     row.tries > 0 ? fmt::format(" (tries of repair: {})", row.tries) : "",
                     row.joined == "symmetry" ? " (symmetry)" : "",
                     row.aligned == "aligned" ? ", aligned" : "",
                     row.normalized_length,
                     row.beads,
                     shown(row.max_metric * scale),
                     percent_ ? " %" : "");
}

std::string ProgressDisplay::status(const StudyProgress& event) const {
  const double scale = percent_ ? 100.0 : 1.0;
  const char* unit = percent_ ? " %" : "";
  std::string text = fmt::format("pair {}: ", event.pair);
  if (event.kind == StudyProgress::Kind::endpoint_step) {
    return text + fmt::format("end point {}, step {}: {:.4g}{} (to reach {:g}{})",
                              event.end_point,
                              event.training.steps,
                              shown(event.training.metric * scale),
                              unit,
                              event.threshold * scale,
                              unit);
  }
  const StringProgress& string = event.string;
  text += fmt::format("L0 {:g}{}, {}round {}, {} beads, {} open: ",
                      event.threshold * scale,
                      unit,
                      string.attempt > 0 ? fmt::format("try {} of repair, ", string.attempt) : "",
                      string.round,
                      string.beads,
                      string.open_segments);
  switch (string.kind) {
    case StringProgress::Kind::round_started:
      return text + "started";
    case StringProgress::Kind::bead_step:
      return text + fmt::format("bead {}, step {}: {:.4g}{} (to reach {:.4g}{})",
                                string.bead,
                                string.training.steps,
                                shown(string.training.metric * scale),
                                unit,
                                string.training.target * scale,
                                unit);
    case StringProgress::Kind::bead_trained:
      return text + fmt::format("bead {} {} after {} steps",
                                string.bead,
                                name_of(string.trained.termination),
                                string.trained.steps);
    case StringProgress::Kind::segment_checked:
      return text + fmt::format("a segment {} (max {:.4g}{})",
                                string.passed ? "passes" : "exceeds",
                                shown(string.worst_value * scale),
                                unit);
  }
  return text;
}

void ProgressDisplay::show(const StudyProgress& event) {
  switch (event.kind) {
    case StudyProgress::Kind::started:
      resumed_ = event.cells_done;
      if (resumed_ > 0) {
        line(fmt::format(
            "resumed: {} of {} cells were finished before", event.cells_done, event.cells_total));
      }
      break;
    case StudyProgress::Kind::cell_finished:
      if (few_cells_) {
        line(fmt::format("{}  [{}]", cell_line(event), estimate(event)));
      } else {
        update(fmt::format("{}  [{}]", estimate(event), cell_line(event)));
      }
      break;
    case StudyProgress::Kind::endpoint_reached:
    case StudyProgress::Kind::endpoint_step:
    case StudyProgress::Kind::string:
      if (few_cells_ && event.kind != StudyProgress::Kind::endpoint_reached) {
        update(fmt::format("{}  [{}]", status(event), estimate(event)));
      }
      break;
  }
}

}  // namespace isthmus::app
