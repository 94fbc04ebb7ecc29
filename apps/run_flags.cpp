// SPDX-License-Identifier: MIT
#include "run_flags.h"

#include "study_flags.h"

namespace isthmus::app {

void RunFlags::add_run(Parser& command,
                       const std::string& folder,
                       const std::string& more,
                       const std::string& printed) {
  command.add_option("--out", out, "The run directory [" + folder + "]");
  command.add_flag("--resume", resume, "Go on with the run in --out; it may get " + more);
  command
      .add_option("--checkpoint-seconds",
                  checkpoint_seconds,
                  "How often the state of a training is kept (networks of 10,000 parameters or "
                  "more) [60]")
      ->check(positive_seconds());
  command.add_flag("--json", json, "Print " + printed);
}

}  // namespace isthmus::app
