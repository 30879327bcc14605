# The installed tree: libraries, header, flowdb.pc and the CMake package. Nothing in it names the
# place where it was installed, so it can be moved.

include(CMakePackageConfigHelpers)

set(flowdb_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/flowdb)

# Two export sets: a program that links the shared library needs no header of lz4, zstd or xxhash.
install(TARGETS flowdb EXPORT flowdb-shared)
install(TARGETS flowdb_static EXPORT flowdb-static)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/flowdb TYPE INCLUDE)

foreach(kind shared static)
  install(EXPORT flowdb-${kind} NAMESPACE flowdb:: FILE flowdb-${kind}.cmake
          DESTINATION ${flowdb_cmake_dir})
endforeach()
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/packaging/flowdb-config.cmake.in
  ${PROJECT_BINARY_DIR}/packaging/flowdb-config.cmake INSTALL_DESTINATION ${flowdb_cmake_dir})
# Before 1.0 a new minor version may break what was built against the one before.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/packaging/flowdb-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/packaging/flowdb-config.cmake
        ${PROJECT_BINARY_DIR}/packaging/flowdb-config-version.cmake
        ${CMAKE_CURRENT_LIST_DIR}/flowdb-dependencies.cmake
  DESTINATION ${flowdb_cmake_dir})

# flowdb.pc finds its prefix from where it lies.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR flowdb_libdir_is_absolute)
if(flowdb_libdir_is_absolute)
  set(flowdb_pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(flowdb_pc_libdir ${CMAKE_INSTALL_LIBDIR})
else()
  file(RELATIVE_PATH flowdb_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" flowdb_up ${flowdb_up})
  set(flowdb_pc_prefix "\${pcfiledir}/${flowdb_up}")
  set(flowdb_pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE
           flowdb_pc_includedir)
configure_file(${PROJECT_SOURCE_DIR}/packaging/flowdb.pc.in
               ${PROJECT_BINARY_DIR}/packaging/flowdb.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/flowdb.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
