# SPDX-License-Identifier: MIT
# The update loops vectorise only if a square root need not set errno. Same bits at any level.
set_source_files_properties("${folder}/update_kernels.cpp" PROPERTIES COMPILE_OPTIONS
                            "$<$<NOT:$<CONFIG:Debug>>:-O3>;-fno-math-errno;-fno-trapping-math")
