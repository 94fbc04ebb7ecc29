# SPDX-License-Identifier: MIT
# The only place where targets get flags. A room is its folder: every source and header in it belongs to it.

add_library(isthmus_flags INTERFACE)
target_compile_options(isthmus_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                               -Wno-sign-conversion -ffp-contract=off)
if(ISTHMUS_WARNINGS_ARE_ERRORS)
  target_compile_options(isthmus_flags INTERFACE -Werror)
endif()

# isthmus_room(NAME [COLD] [LINKS target...] [PRIVATE_LINKS target...])
#   The library isthmus_NAME (alias isthmus::NAME) of all files below src/isthmus/NAME. A file
#   flags.cmake in the room, if any, may set properties of single sources. A COLD room has no loop that
#   matters: it is optimised less and precompiles its largest headers, which halves its build time.
function(isthmus_room name)
  cmake_parse_arguments(room "COLD" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  set(folder "${PROJECT_SOURCE_DIR}/src/isthmus/${name}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${folder}/*.h")
  add_library(isthmus_${name} STATIC)
  add_library(isthmus::${name} ALIAS isthmus_${name})
  target_sources(isthmus_${name} PRIVATE ${sources}
    PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${headers})
  set_target_properties(isthmus_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON LINKER_LANGUAGE CXX
                        POSITION_INDEPENDENT_CODE ON)
  target_include_directories(isthmus_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(isthmus_${name} PUBLIC ${room_LINKS} PRIVATE ${room_PRIVATE_LINKS} isthmus_flags)
  if(room_COLD)
    target_compile_options(isthmus_${name} PRIVATE $<$<CONFIG:Release>:-O1>)
    target_precompile_headers(isthmus_${name} PRIVATE <nlohmann/json.hpp> <fmt/format.h>)
  endif()
  if(EXISTS "${folder}/flags.cmake")
    include("${folder}/flags.cmake")
  endif()
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
