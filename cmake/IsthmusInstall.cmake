# SPDX-License-Identifier: MIT
# What `make install` puts where: the command, its manual page, and the library with its headers and the
# files that find_package(isthmus) reads. Two components, each a Debian package.
include(CMakePackageConfigHelpers)
set(command_package isthmus)
set(library_package libisthmus-dev)

# compressed(FILE NAME): FILE of the source tree as generated/NAME, by gzip.
function(compressed file name)
  file(ARCHIVE_CREATE OUTPUT "${PROJECT_BINARY_DIR}/generated/${name}" PATHS "${PROJECT_SOURCE_DIR}/${file}"
       FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${file}")
endfunction()

get_property(rooms GLOBAL PROPERTY isthmus_rooms)
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/isthmus")
list(JOIN rooms ", isthmus::" rooms_in_words)
string(PREPEND rooms_in_words "isthmus::")
foreach(room ${rooms})
  install(TARGETS isthmus_${room} EXPORT isthmus
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT library)
endforeach()
install(EXPORT isthmus NAMESPACE isthmus:: FILE isthmusTargets.cmake
        DESTINATION "${package_folder}" COMPONENT library)

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/isthmusConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/generated/isthmusConfig.cmake" INSTALL_DESTINATION "${package_folder}")
# Before 1.0 a minor version may change what a program calls.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/generated/isthmusConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/generated/isthmusConfig.cmake"
              "${PROJECT_BINARY_DIR}/generated/isthmusConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/FindOneDNN.cmake"
        DESTINATION "${package_folder}" COMPONENT library)

install(TARGETS isthmus RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT command)
install(FILES "${PROJECT_BINARY_DIR}/generated/isthmus.1.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT command)

# Debian's names: licence and changelog lie under the package's own.
compressed(CHANGELOG.md changelog.gz)
foreach(component command library)
  set(documents "${CMAKE_INSTALL_DATAROOTDIR}/doc/${${component}_package}")
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" RENAME copyright DESTINATION "${documents}" COMPONENT ${component})
  install(FILES "${PROJECT_BINARY_DIR}/generated/changelog.gz" DESTINATION "${documents}" COMPONENT ${component})
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/examples/cpp/" DESTINATION "${documents}/examples" COMPONENT library)
