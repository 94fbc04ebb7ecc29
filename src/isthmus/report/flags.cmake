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

# The page of a run carries its style, its script and the plotting library.
include("${PROJECT_SOURCE_DIR}/cmake/PlotLibrary.cmake")
isthmus_plot_library(plots)
foreach(asset "PAGE_STYLE;${PROJECT_SOURCE_DIR}/page/page.css" "PAGE_SCRIPT;${PROJECT_SOURCE_DIR}/page/page.js" "PLOT_LIBRARY;${plots}")
  list(GET asset 0 variable)
  list(LENGTH asset parts)
  set(ISTHMUS_${variable} "")
  if(parts GREATER 1)
    list(GET asset 1 file)
    if(file)
      file(READ "${file}" ISTHMUS_${variable})
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    endif()
  endif()
endforeach()
set(assets_source "${PROJECT_BINARY_DIR}/generated/page_assets.cpp")
configure_file("${folder}/page_assets.cpp.in" "${assets_source}" @ONLY)
target_sources(isthmus_${name} PRIVATE "${assets_source}")
set_source_files_properties("${assets_source}" PROPERTIES SKIP_PRECOMPILE_HEADERS ON
                                                         COMPILE_OPTIONS -Wno-overlength-strings)
