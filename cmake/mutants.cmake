# SPDX-License-Identifier: Apache-2.0
# Mutants (conformance/catalog/mutants.csv). With TCPROCTOR_MUTANTS the stack is built from copies of
# its sources in TCPROCTOR_MUTATED_DIR, in which every mutant stands behind a switch that is off
# unless it is planted in a host (stack/mutants/planted.h). The sources themselves stay as they are.
option(TCPROCTOR_MUTANTS "Every mutant of the catalogue can be planted in a host" OFF)
set(TCPROCTOR_MUTATED_DIR ${CMAKE_BINARY_DIR}/mutated)
set(TCPROCTOR_MUTATED_FILES "")  # from the root of the project

# Which file a target compiles that names `source` in the current directory.
function(tcproctor_mutated out source)
  file(RELATIVE_PATH file ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  if(file IN_LIST TCPROCTOR_MUTATED_FILES)
    set(source ${TCPROCTOR_MUTATED_DIR}/${file})
  endif()
  set(${out} ${source} PARENT_SCOPE)
endfunction()

if(NOT TCPROCTOR_MUTANTS)
  return()
endif()

# The codec and the TCP; and the Host, whose doors a mutant does not leave.
file(GLOB_RECURSE files RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
     stack/packet/*.h stack/packet/*.cc stack/tcp/*.h stack/tcp/*.cc)
list(FILTER files EXCLUDE REGEX "_test\\.cc$|_fuzz\\.cc$|/(testing|fuzzing|event_matrix)/|test_support\\.h$")
list(APPEND files stack/host/host.h)
set(TCPROCTOR_MUTATED_FILES ${files})

add_executable(tcproctor_mutate conformance/mutants/generate_main.cc
               conformance/catalog/mutants.cc conformance/catalog/csv.cc)
target_include_directories(tcproctor_mutate PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(tcproctor_mutate PRIVATE absl::status absl::statusor)
list(TRANSFORM files PREPEND ${TCPROCTOR_MUTATED_DIR}/ OUTPUT_VARIABLE copies)
add_custom_command(
  OUTPUT ${copies} ${TCPROCTOR_MUTATED_DIR}/names.cc
  COMMAND tcproctor_mutate ${PROJECT_SOURCE_DIR} ${TCPROCTOR_MUTATED_DIR} ${files}
  DEPENDS tcproctor_mutate ${files} conformance/catalog/mutants.csv
  COMMENT "Planting the mutants" VERBATIM)
add_custom_target(tcproctor_mutated DEPENDS ${copies} ${TCPROCTOR_MUTATED_DIR}/names.cc)

# Before the project's own root, so that "stack/tcp/rtt.h" is the copy.
include_directories(BEFORE ${TCPROCTOR_MUTATED_DIR})
