# SPDX-License-Identifier: Apache-2.0
# The two kinds of target this project has, so that every directory declares them alike.

set(TCPROCTOR_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
                       -Wno-missing-field-initializers)

add_library(tcproctor_options INTERFACE)
target_include_directories(tcproctor_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(tcproctor_options INTERFACE ${TCPROCTOR_WARNINGS})
if(TCPROCTOR_SANITIZE)
  target_compile_options(tcproctor_options INTERFACE -fsanitize=${TCPROCTOR_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tcproctor_options INTERFACE -fsanitize=${TCPROCTOR_SANITIZE})
endif()

if(TCPROCTOR_FUZZ)
  target_compile_options(tcproctor_options INTERFACE -fsanitize=fuzzer-no-link -Wno-error)
endif()

# Most of the compiler's time goes into reading gRPC's, protobuf's and GoogleTest's headers: sources of
# one target are compiled together, so that each header is read once for many. Two sources of a
# target must therefore not define the same name in an unnamed namespace.
option(TCPROCTOR_UNITY "Compile the sources of a target together" ON)
function(tcproctor_together name)
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${TCPROCTOR_UNITY} UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# tcproctor_library(name SRCS a.cc a.h … DEPS lib …): a static library of this project.
function(tcproctor_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  set(sources "")
  foreach(source IN LISTS ARG_SRCS)
    tcproctor_mutated(source ${source})
    list(APPEND sources ${source})
  endforeach()
  add_library(${name} STATIC ${sources})
  # What is installed of a library does not know our warnings and our tree.
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE $<BUILD_INTERFACE:tcproctor_options>)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  if(NOT sources STREQUAL ARG_SRCS)  # both readings of a place need not be as tidy as its source
    target_compile_options(${name} PRIVATE -w -Wno-narrowing)
  endif()
  tcproctor_together(${name})
endfunction()

# tcproctor_proto_library(name FILE.proto): the messages of a file that is not part of the API; its
# path is that from the root, and so is that of its header.
function(tcproctor_proto_library name file)
  set(out ${PROJECT_BINARY_DIR}/generated)
  string(REPLACE .proto "" base ${out}/${file})
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${base}.pb.cc ${base}.pb.h
    COMMAND protobuf::protoc --cpp_out=${out} -I ${PROJECT_SOURCE_DIR} ${file}
    DEPENDS ${PROJECT_SOURCE_DIR}/${file}
    COMMENT "Generating from ${file}" VERBATIM)
  # Generated code is not held to our warnings.
  add_library(${name} STATIC ${base}.pb.cc ${base}.pb.h)
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf)
  if(TCPROCTOR_SANITIZE)
    target_compile_options(${name} PUBLIC -fsanitize=${TCPROCTOR_SANITIZE})
  endif()
endfunction()

# tcproctor_test(name SRCS a_test.cc … DEPS lib … [LABELS grpc root …] [TIMEOUT s]): a GoogleTest
# binary, run by ctest as one test. Label `root` = needs CAP_NET_ADMIN and fails clearly without;
# `grpc` = starts gRPC and is left out of the TSan preset (Debian's gRPC is not instrumented);
# `protobuf_map` = reads map fields and is left out too (they have more members under TSan than in
# Debian's library: map_field.h).
function(tcproctor_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} tcproctor_options GTest::gmock_main)
  tcproctor_together(${name})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(TCPROCTOR_SANITIZE)
    math(EXPR ARG_TIMEOUT "5 * ${ARG_TIMEOUT}")  # everything takes about ten times as long
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

# tcproctor_fuzz(name DEPS lib … [INPUTS n]): name_fuzz from name_fuzz.cc. With TCPROCTOR_FUZZ (clang)
# libFuzzer drives it, see `./dev fuzz`; else it replays its seeds and `n` random inputs in ctest.
function(tcproctor_fuzz name)
  cmake_parse_arguments(ARG "" "DIR;INPUTS" "DEPS" ${ARGN})
  set(shared ${PROJECT_SOURCE_DIR}/cmake/fuzzing)
  if(TCPROCTOR_FUZZ)
    add_executable(${name}_fuzz ${ARG_DIR}${name}_fuzz.cc ${shared}/fuzz.h ${shared}/initialize.cc)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    set_property(GLOBAL APPEND PROPERTY TCPROCTOR_FUZZ_TARGETS ${name}_fuzz)
  else()
    add_executable(${name}_fuzz ${ARG_DIR}${name}_fuzz.cc ${shared}/fuzz.h ${shared}/replay_main.cc)
    add_test(NAME ${name}_fuzz COMMAND ${name}_fuzz ${ARG_INPUTS})
    set_tests_properties(${name}_fuzz PROPERTIES TIMEOUT 300)
  endif()
  target_link_libraries(${name}_fuzz PRIVATE ${ARG_DEPS} tcproctor_options)
endfunction()

# tcproctor_bench(name SRCS a_bench.cc … DEPS lib …): a Google Benchmark binary, built for
# `./dev bench` only.
function(tcproctor_bench name)
  if(NOT TCPROCTOR_BENCH)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  find_package(benchmark REQUIRED)
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} tcproctor_options benchmark::benchmark_main)
  set_property(GLOBAL APPEND PROPERTY TCPROCTOR_BENCH_TARGETS ${name})
endfunction()
