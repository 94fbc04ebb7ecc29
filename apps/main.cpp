// SPDX-License-Identifier: MIT
// The command: parse, call, exit code. All work is in the library.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

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

// Standard output may be a full disk.
int end_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout) {
    return fail(isthmus::ExitCode::cannot_write,
                "standard output: cannot be written. What was written to files before is intact.");
  }
  return 0;
}

// A command's first line stands for it in the list of commands; its own help has the rest.
class ManualFormatter final : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* command) const override {
    const std::string text = command->get_description();
    std::stringstream out;
    CLI::detail::format_help(
        out, command->get_display_name(true), text.substr(0, text.find('\n')), get_column_width());
    return out.str();
  }
};

// The parser's own conversion takes "-1" for the largest number there is.
void refuse_malformed_numbers(CLI::App& parser) {
  const auto refuse_count = [](const std::string& text) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::string() : "expected a whole number >= 0, got '" + text + "'";
  };
  const auto refuse_number = [](const std::string& text) {
    double number = 0.0;
    return CLI::detail::lexical_cast(text, number) ? std::string()
                                                   : "expected a number, got '" + text + "'";
  };
  for (CLI::Option* option : parser.get_options()) {
    if (option->get_type_name() == "UINT") {
      option->check(CLI::Validator(refuse_count, ""));
    } else if (option->get_type_name() == "FLOAT") {
      option->check(CLI::Validator(refuse_number, ""));
    }
  }
  for (CLI::App* command : parser.get_subcommands({})) {
    refuse_malformed_numbers(*command);
  }
}

bool has_flag(const CLI::App& command, const std::string& flag) {
  return command.get_option_no_throw(flag) != nullptr;
}

// What a command calls a flag that others have: options of training come with a prefix of whom they
// are, and one thing may be many elsewhere. Empty if it has nothing like it.
std::string own_name(const CLI::App& command, const std::string& flag) {
  std::string name = flag.substr(2);
  for (const std::string_view prefix : {"bead-", "endpoint-"}) {
    if (name.starts_with(prefix)) {
      name.erase(0, prefix.size());
    }
  }
  const std::string other_number =
      name.ends_with('s') ? name.substr(0, name.size() - 1) : name + 's';
  for (const std::string& own : {"--endpoint-" + name, "--" + name, "--" + other_number}) {
    if (has_flag(command, own)) {
      return own;
    }
  }
  return "";
}

bool has_flag_inside(const CLI::App& command, const std::string& flag) {
  const auto commands = command.get_subcommands([](const CLI::App*) { return true; });
  return has_flag(command, flag) || std::ranges::any_of(commands, [&](const CLI::App* one) {
           return has_flag_inside(*one, flag);
         });
}

// What to use in the place of a flag that the command does not have; empty if there is no telling.
std::string advice(const CLI::App& parser, const std::string& word) {
  const CLI::App* command = &parser;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
  }
  const std::string flag = word.substr(0, word.find('='));
  if (!flag.starts_with("--") || flag.size() < 4) {
    return "";
  }
  if (command->get_name() == "train" && flag == "--resume") {
    return ": train goes on from its state without it";
  }
  if (const std::string own = own_name(*command, flag); !own.empty()) {
    return ": " + command->get_name() + " has " + own;
  }
  std::string others;
  for (const CLI::App* other : parser.get_subcommands([](const CLI::App*) { return true; })) {
    if (has_flag_inside(*other, flag)) {
      others += (others.empty() ? ": it is an option of " : ", ") + other->get_name();
    }
  }
  return others;
}

std::string failure_text(const CLI::App* parser, const CLI::Error& error) {
  const std::vector<std::string> unknown = parser->remaining(true);
  std::string text = error.what();
  if (!unknown.empty()) {
    text = "not expected here: '" + unknown.front() + "'" + advice(*parser, unknown.front());
  }
  return "isthmus: " + text + "\nRun isthmus --help, or isthmus COMMAND --help.\n";
}

// As a shell takes it again.
std::string command_line(int argc, char** argv) {
  std::string line = "isthmus";
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_./,:=+@%-") == std::string::npos;
    if (!plain) {
      std::string quoted = "'";
      for (const char c : word) {
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
      }
      word = quoted + "'";
    }
    line += " " + word;
  }
  return line;
}

void add_commands(isthmus::app::Context& context) {
  isthmus::app::add_connect(context);
  isthmus::app::add_sweep(context);
  isthmus::app::add_components(context);
  isthmus::app::add_verify(context);
  isthmus::app::add_shorten(context);
  isthmus::app::add_export(context);
  isthmus::app::add_report(context);
  isthmus::app::add_plane(context);
  isthmus::app::add_train(context);
  isthmus::app::add_align(context);
  isthmus::app::add_check_gradient(context);
  isthmus::app::add_lower_bound(context);
  isthmus::app::add_theory(context);
  isthmus::app::add_data(context);
  isthmus::app::add_list(context);
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
  auto formatter = std::make_shared<ManualFormatter>();
  formatter->column_width(34);
  parser.formatter(formatter);
  parser.failure_message(failure_text);
  parser.footer(
      "\nFirst steps:\n"
      "  isthmus connect quadratic --threshold 0.01        one pair, a second\n"
      "  isthmus sweep quadratic --pairs 20                the published curve\n"
      "  isthmus connect mnist --threshold 0.02            two convnets, minutes\n"
      "  isthmus COMMAND --help                            what a command does, with an example\n"
      "\nExit codes: 0 the work was done, whatever the verdicts; 1 not proven; 64 usage; 65 bad "
      "data; 66 "
      "missing\n"
      "input; 70 internal error; 73 cannot write; 78 a run of another configuration; 130 "
      "interrupted.\n"
      "Results go to standard output, progress and errors to standard error.");
  isthmus::app::Parser root(parser);
  isthmus::app::Context context{
      .parser = &root, .stop = &stop, .line = command_line(argc, argv), .chosen = {}};
  add_commands(context);
  refuse_malformed_numbers(parser);
  try {
    parser.parse(argc, argv);
    context.chosen();
    const int written = end_output();
    return written != 0 ? written : static_cast<int>(context.outcome);
  } catch (const CLI::ParseError& error) {
    const int code = parser.exit(error, std::cout, std::cerr);
    std::cout.flush();
    return code == 0 ? end_output() : static_cast<int>(ExitCode::usage);
  } catch (const isthmus::Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::internal,
                "out of memory: use fewer --threads, a smaller --batch-size or a smaller network");
  } catch (const std::exception& error) {
    return std::ferror(stdout) != 0 ? end_output() : fail(ExitCode::internal, error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  catch_signals();
  return run(argc, argv);
}
