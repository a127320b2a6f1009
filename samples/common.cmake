# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What each sample does before find_package(Zephyr), and a function to call after it.

# Finds the module even without a west manifest that names it. (For -S, sysbuild must know it as well.)
list(APPEND EXTRA_ZEPHYR_MODULES ${CMAKE_CURRENT_LIST_DIR}/..)

# Zephyr reads board settings only from the sample's folder. What all samples need is in the repository's
# boards/. With sysbuild, sysbuild.cmake does this.
if(NOT SYSBUILD AND NOT "thread-mqtt-boards" IN_LIST SNIPPET)
  set(SNIPPET thread-mqtt-boards ${SNIPPET} CACHE STRING "Snippets" FORCE)
endif()

# Compiles the PEM file that an option names into the image, as a list of bytes in a file to include. A relative
# path is relative to the sample's folder.
function(include_pem option name)
  set(pem "${${option}}")
  if(NOT IS_ABSOLUTE "${pem}")
    set(pem "${CMAKE_CURRENT_SOURCE_DIR}/${pem}")
  endif()
  if(NOT EXISTS "${pem}" OR IS_DIRECTORY "${pem}")
    message(FATAL_ERROR "${option}: there is no file ${pem}; set it to the path of a PEM file, absolute or relative to the sample")
  endif()
  generate_inc_file_for_target(app "${pem}" ${ZEPHYR_BINARY_DIR}/include/generated/${name})
endfunction()
