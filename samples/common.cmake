# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What each sample does before find_package(Zephyr).

# Found without a west manifest that names the module, too.
list(APPEND EXTRA_ZEPHYR_MODULES ${CMAKE_CURRENT_LIST_DIR}/..)

# Of the boards' settings Zephyr reads those in the sample's folder; what all samples need is in boards/
# of the repository.
if(NOT "thread-mqtt-boards" IN_LIST SNIPPET)
  set(SNIPPET thread-mqtt-boards ${SNIPPET} CACHE STRING "Snippets" FORCE)
endif()
