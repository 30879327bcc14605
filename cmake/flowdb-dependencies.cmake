# What libflowdb stands on, as imported targets flowdb::lz4, flowdb::zstd and flowdb::xxhash, and
# Threads::Threads. Read by FlowDB's own build, and installed for programs that link the archive.

# Sets `missing` to the names of the libraries that this machine lacks.
function(flowdb_find_dependencies missing)
  set(absent)
  foreach(library header IN ZIP_LISTS flowdb_dependency_libraries flowdb_dependency_headers)
    find_path(FLOWDB_${library}_INCLUDE_DIR ${header})
    find_library(FLOWDB_${library}_LIBRARY ${library})
    mark_as_advanced(FLOWDB_${library}_INCLUDE_DIR FLOWDB_${library}_LIBRARY)
    if(NOT FLOWDB_${library}_INCLUDE_DIR OR NOT FLOWDB_${library}_LIBRARY)
      list(APPEND absent ${library})
    elseif(NOT TARGET flowdb::${library})
      add_library(flowdb::${library} UNKNOWN IMPORTED GLOBAL)
      set_target_properties(
        flowdb::${library}
        PROPERTIES IMPORTED_LOCATION ${FLOWDB_${library}_LIBRARY}
                   INTERFACE_INCLUDE_DIRECTORIES ${FLOWDB_${library}_INCLUDE_DIR})
    endif()
  endforeach()
  set(${missing} ${absent} PARENT_SCOPE)
endfunction()

set(flowdb_dependency_libraries lz4 zstd xxhash)
set(flowdb_dependency_headers lz4.h zstd.h xxhash.h)

set(THREADS_PREFER_PTHREAD_FLAG OFF)
find_package(Threads REQUIRED)
