#!/usr/bin/env bash
# Builds the API documentation of include/thread_mqtt.h in target/doxygen/html. Any warning is an error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${CARGO_TARGET_DIR:-target}/doxygen
mkdir -p "$out"
doxygen - <<END
PROJECT_NAME           = thread-mqtt
INPUT                  = include/thread_mqtt.h include/thread_mqtt_types.h
OUTPUT_DIRECTORY       = $out
GENERATE_LATEX         = NO
OPTIMIZE_OUTPUT_FOR_C  = YES
STRIP_FROM_PATH        = include
EXTRACT_ALL            = NO
WARN_IF_UNDOCUMENTED   = YES
WARN_IF_DOC_ERROR      = YES
WARN_NO_PARAMDOC       = YES
WARN_AS_ERROR          = FAIL_ON_WARNINGS
QUIET                  = YES
JAVADOC_AUTOBRIEF      = YES
HAVE_DOT               = NO
END
echo "target/doxygen/html/index.html"
