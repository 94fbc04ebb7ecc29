# SPDX-License-Identifier: MIT
# The published curves travel inside the library, so that the command shows them without a source
# tree. docs/published is the only place where they are written down.
file(GLOB tables CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/published/*_length.csv"
                                   "${PROJECT_SOURCE_DIR}/docs/published/*_beads.csv")
set(ISTHMUS_PUBLISHED_TABLES "")
foreach(table ${tables})
  get_filename_component(stem "${table}" NAME_WE)
  file(READ "${table}" content)
  string(APPEND ISTHMUS_PUBLISHED_TABLES "    {\"${stem}\", R\"csv(${content})csv\"},\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${table}")
endforeach()
set(published_source "${PROJECT_BINARY_DIR}/generated/published_tables.cpp")
configure_file("${folder}/published_tables.cpp.in" "${published_source}" @ONLY)
target_sources(isthmus_${name} PRIVATE "${published_source}")
