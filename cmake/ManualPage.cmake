# SPDX-License-Identifier: MIT
# Run after every link of the command: writes OUTPUT and OUTPUT.gz, the manual page of TEMPLATE with the commands
# that PROGRAM --help lists.
execute_process(COMMAND "${PROGRAM}" --help OUTPUT_VARIABLE help RESULT_VARIABLE failed)
if(failed OR NOT help MATCHES "\nSubcommands:\n(.*)\nFirst steps")
  message(FATAL_ERROR "${PROGRAM} --help: expected a list of commands, got:\n${help}")
endif()
string(REGEX MATCHALL "  [a-z-]+ +[^\n]+" lines "${CMAKE_MATCH_1}")
set(COMMANDS "")
foreach(line ${lines})
  string(REGEX REPLACE "  ([a-z-]+) +(.*)" ".TP\n.B \\1\n\\2\n" entry "${line}")
  string(REPLACE "-" "\\-" entry "${entry}")
  string(APPEND COMMANDS "${entry}")
endforeach()
configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY)
file(ARCHIVE_CREATE OUTPUT "${OUTPUT}.gz" PATHS "${OUTPUT}" FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
