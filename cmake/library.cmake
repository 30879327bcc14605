# libflowdb, shared and static from one set of objects, and what installs beside it.

include(${CMAKE_CURRENT_LIST_DIR}/flowdb-dependencies.cmake)
flowdb_find_dependencies(flowdb_missing)
if(flowdb_missing)
  list(JOIN flowdb_missing ", " flowdb_missing)
  message(FATAL_ERROR "not found: ${flowdb_missing} (scripts/packages.txt lists what is needed)")
endif()

file(GLOB_RECURSE flowdb_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c)

add_library(flowdb_objects OBJECT ${flowdb_sources})
set_target_properties(flowdb_objects PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET
                                                                               hidden)
target_include_directories(flowdb_objects PRIVATE ${PROJECT_SOURCE_DIR}/include
                                                  ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(flowdb_objects
                           PRIVATE FLOWDB_VERSION_STRING="${PROJECT_VERSION}")
# The library's own calls of its public functions need not go through the PLT.
target_compile_options(flowdb_objects PRIVATE -fno-semantic-interposition)
target_link_libraries(flowdb_objects PRIVATE flowdb_build_flags flowdb::lz4 flowdb::zstd
                                             flowdb::xxhash Threads::Threads)

set(flowdb_version_script ${PROJECT_SOURCE_DIR}/packaging/flowdb.map)

add_library(flowdb SHARED $<TARGET_OBJECTS:flowdb_objects>)
set_target_properties(
  flowdb
  PROPERTIES VERSION ${PROJECT_VERSION}
             SOVERSION ${PROJECT_VERSION_MAJOR}
             LINKER_LANGUAGE C
             LINK_DEPENDS ${flowdb_version_script})
target_link_options(flowdb PRIVATE -Wl,--version-script=${flowdb_version_script}
                    -Wl,-Bsymbolic-functions)
if(NOT FLOWDB_SANITIZE) # clang resolves the sanitizers' own functions in the program alone
  target_link_options(flowdb PRIVATE -Wl,-z,defs)
endif()

add_library(flowdb_static STATIC $<TARGET_OBJECTS:flowdb_objects>)
set_target_properties(flowdb_static PROPERTIES OUTPUT_NAME flowdb LINKER_LANGUAGE C)

foreach(library flowdb flowdb_static)
  add_library(flowdb::${library} ALIAS ${library})
  target_include_directories(
    ${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                         $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(
    ${library} PRIVATE $<BUILD_INTERFACE:flowdb_build_flags> flowdb::lz4 flowdb::zstd
                       flowdb::xxhash Threads::Threads m)
endforeach()

include(${CMAKE_CURRENT_LIST_DIR}/install.cmake)
