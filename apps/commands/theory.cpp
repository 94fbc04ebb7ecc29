// SPDX-License-Identifier: MIT
#include "theory.h"

namespace isthmus::app {

void add_theory(Context& context) {
  CLI::App* parser = context.parser->add_subcommand(
      "theory",
      "Build the paths that the paper's theorems promise, and evaluate them.\n\n"
      "Section 2 of Freeman & Bruna (2017), executable: the construction of each proof on given or "
      "random\n"
      "weights, the loss along it, and the bound beside it. docs/theory.md has the statements.");
  parser->require_subcommand(1);
  add_theory_linear(*parser, context);
}

}  // namespace isthmus::app
