# SPDX-License-Identifier: MIT
# The kernels of the population engine are compiled once for each instruction set; the rest of the program
# runs on any processor of the platform. They are optimised in every build type (tests of millions of
# evaluations run in Debug too) and never with -ffast-math: they rely on the rounding that they wrote down.
set(population "${CMAKE_CURRENT_LIST_DIR}/population")
set(x86_kernels "${population}/kernels_avx2.cpp" "${population}/kernels_avx512.cpp")
set_source_files_properties("${population}/kernels_plain.cpp" PROPERTIES COMPILE_OPTIONS "-O3")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  set_source_files_properties("${population}/kernels_avx2.cpp" PROPERTIES
    COMPILE_OPTIONS "-O3;-mavx2;-mfma;-mtune=haswell")
  set(avx512_flags -O3 -mavx2 -mfma -mavx512f -mavx512dq -mprefer-vector-width=512 -mtune=skylake-avx512)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Scheduling before register allocation gains 5 % here. The warnings are false: the intrinsics of
    # g++ 12 name a source operand that is masked out.
    list(APPEND avx512_flags -fschedule-insns -fsched-pressure -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  set_source_files_properties("${population}/kernels_avx512.cpp" PROPERTIES COMPILE_OPTIONS "${avx512_flags}")
  set_source_files_properties("${population}/simd.cpp" "${population}/population.cpp" PROPERTIES
    COMPILE_DEFINITIONS ISTHMUS_POPULATION_X86)
else()
  set_source_files_properties(${x86_kernels} PROPERTIES HEADER_FILE_ONLY ON)
endif()
# The loops of the dnn engine vectorise only if nobody reads errno or the floating-point flags.
set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/dnn/loops.cpp" PROPERTIES COMPILE_OPTIONS
                            "-O3;-fno-math-errno;-fno-trapping-math")
