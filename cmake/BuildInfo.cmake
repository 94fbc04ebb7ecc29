# SPDX-License-Identifier: MIT
# Run at every build: writes OUTPUT with the version and the commit, if they changed.
execute_process(COMMAND git -C "${SOURCE}" rev-parse --short=12 HEAD
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "unknown")
else()
  execute_process(COMMAND git -C "${SOURCE}" status --porcelain --untracked-files=no
                  OUTPUT_VARIABLE changes ERROR_QUIET)
  if(changes)
    string(APPEND commit "+changes")
  endif()
endif()
set(content "// Made at build time.
#pragma once
#define ISTHMUS_VERSION \"${VERSION}\"
#define ISTHMUS_COMMIT \"${commit}\"
#define ISTHMUS_BUILD_FLAGS \"${FLAGS}\"
")
set(old "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" old)
endif()
if(NOT content STREQUAL old)
  file(WRITE "${OUTPUT}" "${content}")
endif()
