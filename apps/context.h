// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/stop.h"
#include "parser.h"

namespace isthmus::app {

/// What every command gets. A command is added to the parser with its options; the work runs after
/// parsing, so that errors of the command line come first.
struct Context {
  Parser* parser = nullptr;
  Stop* stop = nullptr;             ///< raised by Ctrl-C
  std::string line;                 ///< the command as it was given
  std::function<void()> chosen;     ///< the work of the command that was asked for
  ExitCode outcome = ExitCode::ok;  ///< what the process ends with if nothing is thrown
};

void add_connect(Context& context);
void add_sweep(Context& context);
void add_components(Context& context);
void add_verify(Context& context);
void add_shorten(Context& context);
void add_export(Context& context);
void add_report(Context& context);
void add_plane(Context& context);
void add_train(Context& context);
void add_align(Context& context);
void add_check_gradient(Context& context);
void add_lower_bound(Context& context);
void add_theory(Context& context);
void add_data(Context& context);
void add_list(Context& context);

}  // namespace isthmus::app
