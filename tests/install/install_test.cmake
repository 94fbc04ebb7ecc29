# SPDX-License-Identifier: MIT
# Installs BUILD below WORK, moves it, and builds and runs examples/cpp against it.
cmake_minimum_required(VERSION 3.25)

# run(NAME command...): its output in NAME_output; fails unless it ends with 0.
function(run name)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${name}: ${ARGN}\nended with ${result}:\n${output}")
  endif()
  set(${name}_output "${output}" PARENT_SCOPE)
endfunction()

function(expect text pattern)
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "expected a match of '${pattern}', got:\n${text}")
  endif()
endfunction()

# DESTDIR comes before the prefix, and nothing is written outside it.
file(REMOVE_RECURSE "${WORK}")
run(staged "${CMAKE_COMMAND}" -E env "DESTDIR=${WORK}/stage" "${CMAKE_COMMAND}" --install "${BUILD}" --prefix /opt/isthmus)
file(GLOB stage RELATIVE "${WORK}" "${WORK}/*" "${WORK}/stage/*")
if(NOT stage STREQUAL "stage;stage/opt")
  message(FATAL_ERROR "DESTDIR: expected all files in stage/opt, got ${stage}")
endif()
# What was installed for /opt works elsewhere.
set(prefix "${WORK}/moved here")
file(RENAME "${WORK}/stage/opt/isthmus" "${prefix}")

run(version "${prefix}/bin/isthmus" --version)
expect("${version_output}" "^[0-9]+\\.[0-9]+\\.[0-9]+ \\(")

# A public header includes nothing that stayed behind.
file(GLOB_RECURSE headers "${prefix}/include/*.h")
list(LENGTH headers count)
if(count LESS 30)
  message(FATAL_ERROR "expected at least 30 public headers, got ${count}")
endif()
foreach(header ${headers})
  file(STRINGS "${header}" includes REGEX "^#include \"")
  foreach(line ${includes})
    string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" included "${line}")
    if(NOT EXISTS "${prefix}/include/${included}")
      message(FATAL_ERROR "${header} is installed and includes ${included}, which is not")
    endif()
  endforeach()
endforeach()
# Nothing names the folders of the build.
file(GLOB package_files "${prefix}/${LIBDIR}/cmake/isthmus/*.cmake")
foreach(file ${package_files})
  file(READ "${file}" content)
  foreach(folder "${BUILD}" "${SOURCE}")
    string(FIND "${content}" "${folder}" place)
    if(NOT place EQUAL -1)
      message(FATAL_ERROR "${file} names ${folder}")
    endif()
  endforeach()
endforeach()

set(configure "${CMAKE_COMMAND}" -G "${GENERATOR}" "-DCMAKE_PREFIX_PATH=${prefix}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
    "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DCMAKE_BUILD_TYPE=${TYPE}")
run(configure ${configure} -S "${SOURCE}/examples/cpp" -B "${WORK}/example")
run(build "${CMAKE_COMMAND}" --build "${WORK}/example")
run(example "${WORK}/example/connect_networks")
expect("${example_output}" "^[1-9][0-9]* networks between the two, largest loss 0\\.000[0-9]+, connected\n$")

# The documentation shows these very files, from behind the licence line on.
file(READ "${SOURCE}/docs/library.md" page)
foreach(file CMakeLists.txt connect_networks.cpp)
  file(READ "${SOURCE}/examples/cpp/${file}" content)
  string(REGEX REPLACE "^(#[^\n]*\n)+|^[^\n]*MIT\n" "" content "${content}")
  string(FIND "${page}" "${content}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "docs/library.md does not show examples/cpp/${file} as it is")
  endif()
endforeach()
# The manual page has the commands of the help.
file(READ "${BUILD}/generated/isthmus.1" manual)
foreach(command connect "check\\\\-gradient" list)
  expect("${manual}" "\n.TP\n.B ${command}\n[A-Z][^\n]+\\.\n")
endforeach()
if(NOT EXISTS "${prefix}/share/man/man1/isthmus.1.gz")
  message(FATAL_ERROR "the manual page was not installed")
endif()

# A room that does not exist is named.
file(WRITE "${WORK}/wrong/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)\nproject(wrong LANGUAGES CXX)\n"
     "find_package(isthmus REQUIRED COMPONENTS core cellar)\n")
execute_process(COMMAND ${configure} -S "${WORK}/wrong" -B "${WORK}/wrong/build"
                ERROR_VARIABLE errors OUTPUT_QUIET RESULT_VARIABLE result)
if(result EQUAL 0)
  message(FATAL_ERROR "find_package found a component 'cellar'")
endif()
expect("${errors}" "no room 'cellar'")
