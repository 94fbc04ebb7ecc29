# SPDX-License-Identifier: MIT
# The bounds hold for any order of summation and for fused multiplication and addition; never -ffast-math.
set_source_files_properties("${folder}/products.cpp" PROPERTIES COMPILE_OPTIONS
                            "$<$<NOT:$<CONFIG:Debug>>:-O3>;-ffp-contract=fast")
# Loops in vectors: nobody reads errno or the floating-point flags.
set_source_files_properties("${folder}/kernels.cpp" "${folder}/sample_tiles.cpp" PROPERTIES COMPILE_OPTIONS
                            "$<$<NOT:$<CONFIG:Debug>>:-O3>;-fno-math-errno;-fno-trapping-math")
set_source_files_properties("${folder}/sample_products.cpp" PROPERTIES COMPILE_OPTIONS
                            "$<$<NOT:$<CONFIG:Debug>>:-O3>;-ffp-contract=fast")
set_source_files_properties("${folder}/kink_products.cpp" "${folder}/spectral.cpp" PROPERTIES COMPILE_OPTIONS
                            "$<$<NOT:$<CONFIG:Debug>>:-O3>;-ffp-contract=fast")
