# SPDX-License-Identifier: MIT
# The only place where targets get flags. A room is its folder: every source and header in it belongs to it.

add_library(isthmus_flags INTERFACE)
target_compile_options(isthmus_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                               -Wno-sign-conversion -ffp-contract=off)
if(ISTHMUS_WARNINGS_ARE_ERRORS)
  target_compile_options(isthmus_flags INTERFACE -Werror)
endif()

# Of code without a loop that matters.
set(ISTHMUS_COLD $<$<CONFIG:Release>:-O1>)

# What nearly every source includes, compiled once instead of 200 times. Each source still includes what it uses: the
# presets dev and lint build without these.
set(ISTHMUS_PRECOMPILED
  <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <cstdint> <cstring> <filesystem> <functional> <limits> <map>
  <memory> <mutex> <numeric> <optional> <set> <span> <stdexcept> <string> <string_view> <type_traits> <utility>
  <variant> <vector> <fmt/format.h> <fmt/ranges.h> <nlohmann/json.hpp>)

# isthmus_precompiled(NAME header... [OPTIONS option...] [LINKS target...]): for targets that compile with these
# options.
function(isthmus_precompiled name)
  cmake_parse_arguments(pch "" "" "OPTIONS;LINKS" ${ARGN})
  file(WRITE "${PROJECT_BINARY_DIR}/generated/${name}.cpp" "")
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/generated/${name}.cpp")
  target_link_libraries(${name} PRIVATE fmt::fmt nlohmann_json::nlohmann_json isthmus_flags ${pch_LINKS})
  target_compile_options(${name} PRIVATE ${pch_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${pch_UNPARSED_ARGUMENTS})
endfunction()

# isthmus_room(NAME [COLD] [COLD_FILES file...] [INTERNAL header...] [LINKS target...] [PRIVATE_LINKS target...]
#              [PRECOMPILED header...])
#   The library isthmus_NAME (alias isthmus::NAME) of all files below src/isthmus/NAME. Its headers are
#   installed, except those that INTERNAL names (a header without .h, or a folder): no public header may include
#   them. A file flags.cmake in the room, if any, may set properties of single sources. A COLD room has no
#   loop that matters: it is optimised less, which halves what JSON costs; COLD_FILES are such files of another room.
#   PRECOMPILED names large headers that most files of the room include.
function(isthmus_room name)
  cmake_parse_arguments(room "COLD" "" "INTERNAL;LINKS;PRIVATE_LINKS;PRECOMPILED;COLD_FILES" ${ARGN})
  set(folder "${PROJECT_SOURCE_DIR}/src/isthmus/${name}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  file(GLOB_RECURSE public CONFIGURE_DEPENDS "${folder}/*.h")
  set(internal ${public})
  foreach(hidden ${room_INTERNAL})
    set(before "${public}")
    list(FILTER public EXCLUDE REGEX "^${folder}/${hidden}(\\.h|/.*)$")
    if(public STREQUAL before)
      message(FATAL_ERROR "isthmus_room(${name}): no header ${hidden}.h and no folder ${hidden} to keep internal")
    endif()
  endforeach()
  list(REMOVE_ITEM internal ${public})
  add_library(isthmus_${name} STATIC)
  add_library(isthmus::${name} ALIAS isthmus_${name})
  target_sources(isthmus_${name} PRIVATE ${sources} ${internal}
    PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${public})
  set_target_properties(isthmus_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON LINKER_LANGUAGE CXX
                        POSITION_INDEPENDENT_CODE ON EXPORT_NAME ${name})
  target_compile_features(isthmus_${name} PUBLIC cxx_std_20)
  target_link_libraries(isthmus_${name} PUBLIC ${room_LINKS} PRIVATE ${room_PRIVATE_LINKS}
                        $<BUILD_INTERFACE:isthmus_flags>)
  if(room_COLD)
    target_compile_options(isthmus_${name} PRIVATE ${ISTHMUS_COLD})
    target_precompile_headers(isthmus_${name} REUSE_FROM isthmus_cold_headers)
  elseif(room_PRECOMPILED)
    target_precompile_headers(isthmus_${name} PRIVATE ${ISTHMUS_PRECOMPILED} ${room_PRECOMPILED})
  else()
    target_precompile_headers(isthmus_${name} REUSE_FROM isthmus_headers)
  endif()
  if(EXISTS "${folder}/flags.cmake")
    include("${folder}/flags.cmake")
  endif()
  foreach(source ${sources})  # with options of its own: other code would come out of the same headers
    get_source_file_property(own "${source}" COMPILE_OPTIONS)
    if(own)
      set_source_files_properties("${source}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
  foreach(file ${room_COLD_FILES})
    if(NOT EXISTS "${folder}/${file}.cpp")
      message(FATAL_ERROR "isthmus_room(${name}): no file ${file}.cpp to optimise less")
    endif()
    set_source_files_properties("${folder}/${file}.cpp" PROPERTIES COMPILE_OPTIONS "${ISTHMUS_COLD}")
  endforeach()
  set_property(GLOBAL APPEND PROPERTY isthmus_rooms ${name})
endfunction()

# isthmus_test(NAME LINKS target...): the executable isthmus_NAME_tests of all tests/unit/NAME/*.cpp.
function(isthmus_test name)
  cmake_parse_arguments(test "" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/unit/${name}/*.cpp")
  if(NOT sources)
    return()
  endif()
  add_executable(isthmus_${name}_tests ${sources})
  target_include_directories(isthmus_${name}_tests PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(isthmus_${name}_tests PRIVATE ${test_LINKS} GTest::gtest GTest::gtest_main isthmus_flags)
  target_compile_options(isthmus_${name}_tests PRIVATE ${ISTHMUS_COLD})
  target_precompile_headers(isthmus_${name}_tests REUSE_FROM isthmus_test_headers)
  target_compile_definitions(isthmus_${name}_tests PRIVATE
    ISTHMUS_TEST_FOLDER="${PROJECT_SOURCE_DIR}/tests/unit/${name}"
    ISTHMUS_SOURCE_FOLDER="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(isthmus_${name}_tests TEST_PREFIX "${name}." PROPERTIES TIMEOUT 120
                       DISCOVERY_TIMEOUT 60)
endfunction()
