# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What each sample's sysbuild.cmake does. Snippets that sysbuild is given take the place of those of an image's
# CMakeLists.txt, so the one of common.cmake is added here, to the snippets of this image alone.

set(snippets "${SNIPPET}")
if(DEFINED ${DEFAULT_IMAGE}_SNIPPET)
  set(snippets "${${DEFAULT_IMAGE}_SNIPPET}")
endif()
string(REPLACE " " ";" snippets "${snippets}")
if(NOT "thread-mqtt-boards" IN_LIST snippets)
  set(${DEFAULT_IMAGE}_SNIPPET thread-mqtt-boards ${snippets} CACHE STRING "Snippets" FORCE)
endif()
