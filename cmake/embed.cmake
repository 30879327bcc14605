# Files as part of a binary.
#
#     flowdb_embed(TARGET SYMBOL FILE...)
#
# adds to TARGET, a part of the server, the table `const struct fl_http_embedded SYMBOL[]` and
# `const size_t SYMBOL_count`, made anew whenever a file changes. http/embedded.h declares the type; who
# uses a table declares that.
#
# The same file is the script that the build runs to write the table:
#
#     cmake -D SYMBOL=… -D OUTPUT=… -D FILES=a;b -P embed.cmake

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(flowdb_embed_script ${CMAKE_CURRENT_LIST_FILE})

  function(flowdb_embed target symbol)
    list(TRANSFORM ARGN REPLACE "^([^/])" "${CMAKE_CURRENT_SOURCE_DIR}/\\1" OUTPUT_VARIABLE files)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${symbol}.c)
    add_custom_command(
      OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -D SYMBOL=${symbol} -D OUTPUT=${output} "-DFILES=${files}" -P
              ${flowdb_embed_script}
      DEPENDS ${files} ${flowdb_embed_script}
      COMMENT "Embedding ${symbol}"
      VERBATIM)
    target_sources(${target} PRIVATE ${output})
  endfunction()
  return()
endif()

set(bytes)
set(table)
set(index 0)
foreach(file IN LISTS FILES)
  cmake_path(GET file FILENAME name)
  file(READ ${file} hex HEX)
  file(SHA256 ${file} digest)
  string(SUBSTRING ${digest} 0 24 tag)
  string(REGEX REPLACE "(..)" "0x\\1," hex "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n"
                       hex "${hex}")
  # The zero behind the end makes an array of an empty file too.
  string(APPEND bytes "static const unsigned char file_${index}[] = {\n${hex}0};\n")
  string(APPEND table
         "    {\"${name}\", file_${index}, sizeof file_${index} - 1, \"W/\\\"${tag}\\\"\"},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT}
     "/* Made by cmake/embed.cmake. */\n#include \"http/embedded.h\"\n\n${bytes}\n"
     "extern const struct fl_http_embedded ${SYMBOL}[];\nextern const size_t ${SYMBOL}_count;\n"
     "const struct fl_http_embedded ${SYMBOL}[] = {\n${table}};\n"
     "const size_t ${SYMBOL}_count = sizeof ${SYMBOL} / sizeof ${SYMBOL}[0];\n")
