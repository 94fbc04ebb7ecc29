# SPDX-License-Identifier: MIT
# For `pip install .`: everything that is missing is named at once, with the command that installs it, instead of the
# first library alone in CMake's words.
find_package(OneDNN QUIET)
find_package(Eigen3 QUIET NO_MODULE)
foreach(package fmt nlohmann_json CLI11 CURL OpenSSL ZLIB LibLZMA)
  find_package(${package} QUIET)
endforeach()
set(missing "")
foreach(needed "fmt libfmt-dev" "nlohmann_json nlohmann-json3-dev" "CLI11 libcli11-dev" "CURL libcurl4-openssl-dev"
               "OpenSSL libssl-dev" "Eigen3 libeigen3-dev" "ZLIB zlib1g-dev" "LibLZMA liblzma-dev" "OneDNN libdnnl-dev")
  string(REPLACE " " ";" needed "${needed}")
  list(GET needed 0 package)
  list(GET needed 1 debian)
  string(TOUPPER "${package}" upper)
  if(NOT ${package}_FOUND AND NOT ${upper}_FOUND)
    list(APPEND missing ${debian})
  endif()
endforeach()
if(missing)
  list(JOIN missing " " missing)
  message(FATAL_ERROR "isthmus is built from libraries that are not here. On Debian and Ubuntu:\n"
                      "  apt-get install g++ ${missing}\n"
                      "or, in a clone, scripts/install-packages build. Elsewhere install the packages of the same libraries.")
endif()
