# What a C++ user gets: `#include <mica/mica.h>`, find_package(Mica), the target Mica::mica.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# mica/mica.h includes the public headers of the library, layer by layer. Left out are the folders
# that are not listed and what ops share among themselves.
set(headers)
foreach(folder core/graph core/ops core/transform core/eval core/io nn optim data)
  file(GLOB found RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.h)
  list(SORT found)
  list(APPEND headers ${found})
endforeach()
list(FILTER headers EXCLUDE REGEX "/(op|kernels|node|axis|mapping|linearize|rewrite|zip|npy_header|safetensors_header|stored_array|hdf5_source|fused_reader)\\.h$|(/fused|_(op|kernels|handle|lanes|tables))\\.h$")
set(MICA_INCLUDES)
foreach(header ${headers})
  string(APPEND MICA_INCLUDES "#include \"${header}\"\n")
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/mica.h.in ${PROJECT_BINARY_DIR}/include/mica/mica.h @ONLY)

set_target_properties(mica_options PROPERTIES EXPORT_NAME options)
add_library(Mica::mica ALIAS mica)
install(TARGETS mica mica_options EXPORT MicaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT MicaTargets NAMESPACE Mica:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Mica)
foreach(folder core nn optim data trainers)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION include/mica
    FILES_MATCHING PATTERN "*.h" PATTERN "*.def" PATTERN "samples" EXCLUDE)
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/include/mica/mica.h DESTINATION include/mica)
if(TARGET mica_program)
  install(TARGETS mica_program DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
# The configs find the sample data in ../data/samples, installed as in the source tree.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/mica OPTIONAL)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/data/samples DESTINATION ${CMAKE_INSTALL_DATADIR}/mica/data
  OPTIONAL)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/MicaConfig.cmake.in
  ${PROJECT_BINARY_DIR}/MicaConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Mica)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/MicaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/MicaConfig.cmake ${PROJECT_BINARY_DIR}/MicaConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Mica)
