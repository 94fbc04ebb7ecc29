# SPDX-License-Identifier: MIT
# The Debian packages of `make package`: isthmus (the command) and libisthmus-dev (the library).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "isthmus")
set(CPACK_PACKAGE_CONTACT "The isthmus developers <isthmus@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "paths of low loss between neural networks")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL command library)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Whatever the umask of the build.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME ${command_package})
set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION science)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SUGGESTS dataset-fashion-mnist)
set(CPACK_COMPONENT_COMMAND_DESCRIPTION "Answers whether two trained networks are joined by a path of weights along
which the loss never exceeds a threshold, how long that path is and how many
networks it needs: Dynamic String Sampling (Freeman and Bruna, ICLR 2017).
Computes on a CPU and needs no framework.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${library_package})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "libfmt-dev, nlohmann-json3-dev, libssl-dev, zlib1g-dev, liblzma-dev, \
libcurl4-openssl-dev, libdnnl-dev")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Static libraries, headers and the files of find_package(isthmus) for programs
that join networks by paths of low loss under objectives of their own.")
include(CPack)
