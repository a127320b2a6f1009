# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What each sample's sysbuild.cmake does. Snippets passed to sysbuild replace those in an image's CMakeLists.txt, so
# the snippet of common.cmake is added here, for this image only.

set(snippets "${SNIPPET}")
if(DEFINED ${DEFAULT_IMAGE}_SNIPPET)
  set(snippets "${${DEFAULT_IMAGE}_SNIPPET}")
endif()
string(REPLACE " " ";" snippets "${snippets}")
if(NOT "thread-mqtt-boards" IN_LIST snippets)
  set(${DEFAULT_IMAGE}_SNIPPET thread-mqtt-boards ${snippets} CACHE STRING "Snippets" FORCE)
endif()
