# SPDX-License-Identifier: Apache-2.0
# Writes OUT, a C++ source with a table of the files below ROOT that LIST names (one per line).
# Run as a build step: cmake -DROOT=… -DLIST=… -DOUT=… -P embed.cmake

file(STRINGS "${LIST}" names)
set(table "")
set(index 0)
file(WRITE "${OUT}.new" "// Generated from the files it names.\n"
     "#include \"conformance/catalog/embedded.h\"\n\n"
     "namespace tcproctor::conformance {\nnamespace {\n\n")
foreach(name IN LISTS names)
  file(READ "${ROOT}/${name}" text)
  # Quoted, so that brackets and semicolons of the text are not taken for list syntax.
  file(APPEND "${OUT}.new" "constexpr char kText${index}[] = R\"tcproctor(")
  file(APPEND "${OUT}.new" "${text}")
  file(APPEND "${OUT}.new" ")tcproctor\";\n")
  string(APPEND table "    {\"${name}\", {kText${index}, sizeof(kText${index}) - 1}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(APPEND "${OUT}.new" "\nconstexpr EmbeddedFile kFiles[] = {\n${table}};\n\n}  // namespace\n\n"
     "std::span<const EmbeddedFile> embedded_files() { return kFiles; }\n\n"
     "}  // namespace tcproctor::conformance\n")
file(RENAME "${OUT}.new" "${OUT}")
