// SPDX-License-Identifier: MIT
// The command: parse, call, exit code. All work is in the library.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>

#include "build_info.h"
#include "context.h"
#include "isthmus/core/error.h"
#include "isthmus/core/stop.h"

namespace {

isthmus::Stop stop;

// The first Ctrl-C asks for an orderly end, the second one ends at once.
void handle_signal(int signal) {
  if (stop.requested()) {
    _exit(static_cast<int>(isthmus::ExitCode::interrupted));
  }
  stop.request();
  if (signal == SIGINT) {
    constexpr char text[] = "\nstopping; finished work is kept (Ctrl-C again ends at once)\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text, sizeof text - 1);
  }
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = handle_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A file that grows beyond a limit is a failed write with its message, not a death.
  signal(SIGXFSZ, SIG_IGN);
}

int fail(isthmus::ExitCode code, const char* message) {
  std::fprintf(stderr, "isthmus: %s\n", message);
  return static_cast<int>(code);
}

int run(int argc, char** argv) {
  using isthmus::ExitCode;
  CLI::App parser{
      "isthmus joins two trained networks by a path of networks along which the loss never exceeds "
      "a\n"
      "threshold L0, and says how long that path is and how many models it needs: Dynamic String\n"
      "Sampling (Freeman & Bruna, ICLR 2017), on the paper's tasks and on networks of your own.\n"};
  parser.name("isthmus");
  parser.set_version_flag("--version", std::string(ISTHMUS_VERSION) + " (" + ISTHMUS_COMMIT + ")");
  parser.require_subcommand(1);
  parser.get_formatter()->column_width(34);
  parser.footer(
      "\nFirst steps:\n"
      "  isthmus connect quadratic --threshold 0.01        one pair, a second\n"
      "  isthmus sweep quadratic --pairs 20                the published curve\n"
      "  isthmus connect mnist --threshold 0.02            two convnets, minutes\n"
      "  isthmus COMMAND --help                            what a command does, with an example\n"
      "\nExit codes: 0 the work was done, whatever the verdicts; 64 usage; 65 bad data; 66 "
      "missing\n"
      "input; 70 internal error; 73 cannot write; 78 a run of another configuration; 130 "
      "interrupted.\n"
      "Results go to standard output, progress and errors to standard error.");
  isthmus::app::Context context{.parser = &parser, .stop = &stop, .chosen = {}};
  isthmus::app::add_connect(context);
  isthmus::app::add_sweep(context);
  isthmus::app::add_verify(context);
  isthmus::app::add_report(context);
  isthmus::app::add_train(context);
  isthmus::app::add_check_gradient(context);
  isthmus::app::add_data(context);
  isthmus::app::add_list(context);
  try {
    parser.parse(argc, argv);
    context.chosen();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return fail(ExitCode::cannot_write, "standard output: cannot be written");
    }
    return 0;
  } catch (const CLI::ParseError& error) {
    const int code = parser.exit(error, std::cout, std::cerr);
    return code == 0 ? 0 : static_cast<int>(ExitCode::usage);
  } catch (const isthmus::Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::internal, "out of memory: use fewer --threads or a smaller --batch-size");
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  catch_signals();
  return run(argc, argv);
}
