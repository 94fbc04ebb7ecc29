# SPDX-License-Identifier: MIT
# The only place where targets get flags. A room is its folder: every source and header in it belongs to it.

add_library(isthmus_flags INTERFACE)
target_compile_options(isthmus_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                               -Wno-sign-conversion -ffp-contract=off)
if(ISTHMUS_WARNINGS_ARE_ERRORS)
  target_compile_options(isthmus_flags INTERFACE -Werror)
endif()

# isthmus_room(NAME [COLD] [INTERNAL header...] [LINKS target...] [PRIVATE_LINKS target...])
#   The library isthmus_NAME (alias isthmus::NAME) of all files below src/isthmus/NAME. Its headers are
#   installed, except those that INTERNAL names (a header without .h, or a folder): no public header may include
#   them. A file flags.cmake in the room, if any, may set properties of single sources. A COLD room has no
#   loop that matters: it is optimised less and precompiles its largest headers, which halves its build time.
function(isthmus_room name)
  cmake_parse_arguments(room "COLD" "" "INTERNAL;LINKS;PRIVATE_LINKS" ${ARGN})
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
    target_compile_options(isthmus_${name} PRIVATE $<$<CONFIG:Release>:-O1>)
    target_precompile_headers(isthmus_${name} PRIVATE <nlohmann/json.hpp> <fmt/format.h>)
  endif()
  if(EXISTS "${folder}/flags.cmake")
    include("${folder}/flags.cmake")
  endif()
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
  target_compile_definitions(isthmus_${name}_tests PRIVATE
    ISTHMUS_TEST_FOLDER="${PROJECT_SOURCE_DIR}/tests/unit/${name}"
    ISTHMUS_SOURCE_FOLDER="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(isthmus_${name}_tests TEST_PREFIX "${name}." PROPERTIES TIMEOUT 120
                       DISCOVERY_TIMEOUT 60)
endfunction()
