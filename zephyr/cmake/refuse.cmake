# Copyright (c) 2026 The thread-mqtt authors
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Option combinations that cannot work, each with its cure. Kconfig implies what is needed, so most of
# these mean that an option was switched off on purpose.

macro(thread_mqtt_refuse)
  string(CONCAT sentence ${ARGN})
  message(FATAL_ERROR "thread-mqtt: ${sentence}")
endmacro()

# For settings that may be intended, but in most images are not.
macro(thread_mqtt_warn)
  string(CONCAT sentence ${ARGN})
  message(WARNING "thread-mqtt: ${sentence}")
endmacro()

macro(thread_mqtt_require option why)
  if(NOT CONFIG_${option})
    thread_mqtt_refuse("${why} Set CONFIG_${option}=y.")
  endif()
endmacro()

# native_sim, BabbleSim, QEMU and Arm's models.
set(on_hardware ON)
if(CONFIG_ARCH_POSIX OR CONFIG_QEMU_TARGET OR "${BOARD}" MATCHES "^(qemu|mps[23]|native_sim|nrf[0-9a-z]+_?bsim)")
  set(on_hardware OFF)
endif()

# Whether a client can use an interface of Zephyr's own stack, with Zephyr's resolver.
set(on_zephyrs_stack OFF)
if(NOT CONFIG_NET_SOCKETS_OFFLOAD AND (NOT CONFIG_NET_L2_OPENTHREAD OR CONFIG_THREAD_MQTT_OTHER_INTERFACE))
  set(on_zephyrs_stack ON)
endif()

# ---------------------------------------------------------------------------
# The network. IP comes first, because the Kconfig options of TCP and UDP depend on it.

if(CONFIG_NET_L2_OPENTHREAD)
  thread_mqtt_require(NET_IPV6 "Thread is an IPv6 network.")
elseif(NOT CONFIG_NET_IPV4)
  thread_mqtt_require(NET_IPV6 "a broker is reached over IP.")
endif()
thread_mqtt_require(NET_SOCKETS "the client uses BSD sockets.")
thread_mqtt_require(NET_TCP "MQTT runs over TCP; without it a stream socket fails with EPROTOTYPE.")
thread_mqtt_require(NET_UDP "names are resolved over UDP.")
if(CONFIG_NET_L2_OPENTHREAD)
  thread_mqtt_require(OPENTHREAD_SLAAC
    "the device needs an address that NAT64 translates, which SLAAC configures.")
  if(CONFIG_OPENTHREAD_TCP_ENABLE)
    thread_mqtt_refuse("OpenThread's own TCP would intercept packets for Zephyr's sockets. "
      "Set CONFIG_OPENTHREAD_TCP_ENABLE=n.")
  endif()
  # A Kconfig range cannot have a gap, and otLinkSetPollPeriod() refuses these values.
  if("${CONFIG_THREAD_MQTT_FAST_POLL}" GREATER 0 AND "${CONFIG_THREAD_MQTT_FAST_POLL}" LESS 10)
    thread_mqtt_refuse("OpenThread cannot poll more often than every 10 ms. Set CONFIG_THREAD_MQTT_FAST_POLL to 10 or "
      "more, or to 0 to keep the period unchanged.")
  endif()
endif()
# getaddrinfo() allocates its result from the kernel heap, even for a literal address. Newer versions
# reserve that memory.
if(on_zephyrs_stack AND "${CONFIG_HEAP_MEM_POOL_SIZE}" EQUAL 0 AND
   NOT DEFINED CONFIG_HEAP_MEM_POOL_ADD_SIZE_GETADDRINFO)
  thread_mqtt_refuse("getaddrinfo() needs a kernel heap. Set CONFIG_HEAP_MEM_POOL_SIZE to 1024 or more.")
endif()
# Zephyr's TCP computes its initial sequence numbers with a function that nRF Security builds only with
# the older cryptography, until a later version uses PSA.
if(CONFIG_NET_TCP_ISN_RFC6528 AND CONFIG_NRF_SECURITY AND NOT CONFIG_MBEDTLS_LEGACY_CRYPTO_C)
  file(STRINGS ${ZEPHYR_BASE}/subsys/net/ip/tcp.c md5 REGEX "mbedtls_md5" LIMIT_COUNT 1)
  if(md5)
    thread_mqtt_refuse("Zephyr's TCP does not link, because it calls mbedtls_md5() and nRF Security does not "
      "build it together with PSA Crypto. Set CONFIG_NET_TCP_ISN_RFC6528=n.")
  endif()
endif()

# ---------------------------------------------------------------------------
# Descriptors: an event, a TCP socket and two UDP sockets per client, and an event for Zephyr's socket
# service. The kernel's names of the limits apply from Zephyr 3.7 on, that of the poll limit later.

if(NOT CONFIG_EVENTFD) # its name until Zephyr 3.6
  thread_mqtt_require(ZVFS_EVENTFD "a client's thread is woken by an event descriptor.")
elseif(NOT CONFIG_ZVFS_EVENTFD AND CONFIG_EXTERNAL_LIBC)
  thread_mqtt_refuse("native_sim of this Zephyr has no event descriptor. Build for a board, or with Zephyr "
    "3.7 or later.")
endif()
if(CONFIG_ZVFS)
  set(open_max ZVFS_OPEN_MAX)
  set(eventfd_max ZVFS_EVENTFD_MAX)
else()
  set(open_max POSIX_MAX_FDS)
  set(eventfd_max EVENTFD_MAX)
endif()
if(DEFINED CONFIG_ZVFS_POLL_MAX)
  set(poll_max ZVFS_POLL_MAX)
else()
  set(poll_max NET_SOCKETS_POLL_MAX) # removed in Zephyr 4.5
endif()
set(events ${CONFIG_THREAD_MQTT_MAX_CLIENTS})
set(event_users "each client needs an event descriptor")
math(EXPR descriptors "4 * ${CONFIG_THREAD_MQTT_MAX_CLIENTS}")
if(CONFIG_NET_SOCKETS_SERVICE)
  math(EXPR events "${events} + 1")
  math(EXPR descriptors "${descriptors} + 1")
  string(APPEND event_users ", and so does Zephyr's socket service (CONFIG_NET_SOCKETS_SERVICE)")
endif()
if(CONFIG_${open_max} LESS descriptors)
  thread_mqtt_refuse("${CONFIG_${open_max}} file descriptors are too few. Set CONFIG_${open_max} to "
    "${descriptors} or more, plus what the application opens.")
endif()
if(CONFIG_${eventfd_max} LESS events)
  thread_mqtt_refuse("${event_users}. Set CONFIG_${eventfd_max} to ${events} or more.")
endif()
# Zephyr's own stack has a connection and a context for each socket: one UDP socket each for the A and AAAA queries,
# whatever the families, instead of TCP or in addition to it.
set(sockets 2)
if(CONFIG_THREAD_MQTT_DNS_TCP)
  set(sockets 3)
endif()
math(EXPR connections "${sockets} * ${CONFIG_THREAD_MQTT_MAX_CLIENTS}")
foreach(option NET_MAX_CONN NET_MAX_CONTEXTS)
  if(DEFINED CONFIG_${option} AND NOT CONFIG_NET_SOCKETS_OFFLOAD AND "${CONFIG_${option}}" LESS connections)
    thread_mqtt_refuse("each of ${CONFIG_THREAD_MQTT_MAX_CLIENTS} clients opens up to ${sockets} sockets, but the network stack "
      "only has room for ${CONFIG_${option}}. Set CONFIG_${option} to ${connections} or more, plus what the application opens.")
  endif()
endforeach()
# A wake-up and TCP in both directions; while resolving, two UDP sockets instead of TCP or in addition to it.
set(polls 3)
if(CONFIG_THREAD_MQTT_DNS_TCP)
  set(polls 5)
endif()
if(CONFIG_${poll_max} LESS polls)
  thread_mqtt_refuse("a client polls ${polls} descriptors at once. Set CONFIG_${poll_max} to ${polls} or more.")
endif()

if(DEFINED CONFIG_THREAD_MQTT_THREAD_PRIORITY AND
   NOT CONFIG_THREAD_MQTT_THREAD_PRIORITY LESS CONFIG_NUM_PREEMPT_PRIORITIES)
  math(EXPR priorities "${CONFIG_THREAD_MQTT_THREAD_PRIORITY} + 1")
  thread_mqtt_refuse("the client's thread would never run: its priority, ${CONFIG_THREAD_MQTT_THREAD_PRIORITY}, is not "
    "one of the kernel's ${CONFIG_NUM_PREEMPT_PRIORITIES}. Set CONFIG_NUM_PREEMPT_PRIORITIES to ${priorities} or more, or "
    "lower CONFIG_THREAD_MQTT_THREAD_PRIORITY.")
endif()

# ---------------------------------------------------------------------------
# Reconnecting and sessions: values that thread_mqtt_init() would refuse.

if(CONFIG_THREAD_MQTT_KEEP_ALIVE_AUTO AND
   "${CONFIG_THREAD_MQTT_KEEP_ALIVE_MIN}" GREATER "${CONFIG_THREAD_MQTT_KEEP_ALIVE_MAX}")
  thread_mqtt_refuse("the shortest keep-alive, CONFIG_THREAD_MQTT_KEEP_ALIVE_MIN=${CONFIG_THREAD_MQTT_KEEP_ALIVE_MIN}, is "
    "longer than the longest. Set CONFIG_THREAD_MQTT_KEEP_ALIVE_MAX to ${CONFIG_THREAD_MQTT_KEEP_ALIVE_MIN} or more.")
endif()
if("${CONFIG_THREAD_MQTT_BACKOFF_MIN}" GREATER "${CONFIG_THREAD_MQTT_BACKOFF_MAX}")
  thread_mqtt_refuse("the shortest pause between attempts, CONFIG_THREAD_MQTT_BACKOFF_MIN=${CONFIG_THREAD_MQTT_BACKOFF_MIN}, "
    "is longer than the longest. Set CONFIG_THREAD_MQTT_BACKOFF_MAX to ${CONFIG_THREAD_MQTT_BACKOFF_MIN} or more.")
endif()
string(LENGTH "${CONFIG_THREAD_MQTT_SESSION_NAME}" length)
if(length GREATER 12 OR NOT "${CONFIG_THREAD_MQTT_SESSION_NAME}" MATCHES "^[a-zA-Z0-9_-]*$")
  thread_mqtt_refuse("CONFIG_THREAD_MQTT_SESSION_NAME is ${CONFIG_THREAD_MQTT_SESSION_NAME}, which is not a valid name of a stored "
    "session. Set it to 1 to 12 characters of a-z, A-Z, 0-9, - and _.")
endif()

# ---------------------------------------------------------------------------
# Random numbers and cryptography

if(NOT CONFIG_ENTROPY_HAS_DRIVER AND NOT CONFIG_CSPRNG_ENABLED AND NOT CONFIG_TEST_RANDOM_GENERATOR)
  thread_mqtt_refuse("TLS needs a cryptographically secure random number generator. Set "
    "CONFIG_ENTROPY_GENERATOR=y and enable the entropy device in the devicetree.")
endif()
if(CONFIG_TEST_RANDOM_GENERATOR AND on_hardware)
  thread_mqtt_refuse("the test generator's numbers are predictable, and so is every TLS key. Set "
    "CONFIG_TEST_RANDOM_GENERATOR=n and CONFIG_ENTROPY_GENERATOR=y.")
endif()
# Zephyr 3.7 and NCS 2.8 are the first with Mbed TLS 3.6.
set(before_mbedtls_3_6 OFF)
if("${KERNEL_VERSION_MAJOR}.${KERNEL_VERSION_MINOR}" VERSION_LESS 3.7)
  set(before_mbedtls_3_6 ON)
endif()
# Up to NCS 2.7 this option leaves PSA Crypto without drivers: each call would fail with -134.
if(CONFIG_THREAD_MQTT_CRYPTO_PSA AND CONFIG_NRF_SECURITY AND CONFIG_MBEDTLS_LEGACY_CRYPTO_C AND before_mbedtls_3_6)
  thread_mqtt_refuse("PSA Crypto has no algorithms in this image, because nRF Security builds the older "
    "cryptography (CONFIG_MBEDTLS_LEGACY_CRYPTO_C) instead. Set CONFIG_THREAD_MQTT_CRYPTO_SOFT=y.")
endif()
# PSA Crypto's core has guarded its key slots since Mbed TLS 3.6, but nRF Security can leave that out. A
# secure partition serialises the calls.
if(CONFIG_THREAD_MQTT_CRYPTO_PSA AND CONFIG_MBEDTLS_PSA_CRYPTO_C AND NOT CONFIG_BUILD_WITH_TFM AND
   (CONFIG_OPENTHREAD_CRYPTO_PSA OR CONFIG_THREAD_MQTT_MAX_CLIENTS GREATER 1))
  set(callers "PSA Crypto in this image is not thread-safe, but the client's threads and OpenThread's thread "
    "all call it.")
  if(before_mbedtls_3_6)
    thread_mqtt_refuse(${callers} " Set CONFIG_THREAD_MQTT_CRYPTO_SOFT=y, or update to Zephyr 3.7 or the nRF Connect "
      "SDK 2.8 or later.")
  elseif(CONFIG_NRF_SECURITY AND NOT CONFIG_MBEDTLS_THREADING_C)
    thread_mqtt_refuse(${callers} " Set CONFIG_MBEDTLS_THREADING_C=y.")
  endif()
endif()
# This limits the bignums of Zephyr's Mbed TLS to 256 bits. nRF Security has a configuration of its own.
if(CONFIG_MBEDTLS_OPENTHREAD_OPTIMIZATIONS_ENABLED AND CONFIG_THREAD_MQTT_CRYPTO_PSA AND
   NOT CONFIG_NRF_SECURITY)
  if(CONFIG_THREAD_MQTT_RSA AND NOT CONFIG_THREAD_MQTT_RSA_IN_RUST)
    thread_mqtt_refuse("PSA Crypto cannot verify RSA certificates while Mbed TLS's bignums are limited to 256 "
      "bits. Set CONFIG_THREAD_MQTT_RSA_IN_RUST=y, or CONFIG_MBEDTLS_OPENTHREAD_OPTIMIZATIONS_ENABLED=n.")
  endif()
  if(CONFIG_THREAD_MQTT_P384)
    thread_mqtt_refuse("PSA Crypto does not support P-384 while Mbed TLS's bignums are limited to 256 bits. Set "
      "CONFIG_MBEDTLS_OPENTHREAD_OPTIMIZATIONS_ENABLED=n, or CONFIG_THREAD_MQTT_P384=n if no broker's chain "
      "has a P-384 key.")
  endif()
endif()
if("${CONFIG_THREAD_MQTT_SEC_TAG}" GREATER_EQUAL 0 AND NOT CONFIG_TLS_CREDENTIALS)
  thread_mqtt_refuse("CONFIG_THREAD_MQTT_SEC_TAG names credentials, but the image has no credential storage. Set "
    "CONFIG_TLS_CREDENTIALS=y, or CONFIG_THREAD_MQTT_SEC_TAG=-1.")
endif()
if(CONFIG_THREAD_MQTT_TIME_STRICT AND "${CONFIG_THREAD_MQTT_TIME_SERVERS}" STREQUAL "")
  thread_mqtt_warn("TLS cannot connect until the application calls thread_mqtt_set_time() or configures time "
    "servers itself. Set CONFIG_THREAD_MQTT_TIME_SERVERS, or CONFIG_THREAD_MQTT_TIME_LENIENT=y, if it does "
    "neither.")
endif()

# ---------------------------------------------------------------------------
# The C library and memory

# The prebuilt libraries and the radio co-processor's driver call functions that minimal libc lacks.
if(CONFIG_MINIMAL_LIBC AND (CONFIG_OPENTHREAD_LIBRARY OR CONFIG_HDLC_RCP_IF))
  if(CONFIG_OPENTHREAD_LIBRARY)
    set(caller "OpenThread's prebuilt library calls iscntrl()")
  else()
    set(caller "OpenThread's driver for a radio co-processor calls strtok()")
  endif()
  thread_mqtt_refuse("${caller}, which Zephyr's minimal C library lacks. Set CONFIG_PICOLIBC=y, or "
    "CONFIG_NEWLIB_LIBC=y if this toolchain has no picolibc.")
endif()
# What a client needs on a Cortex-M, in bytes. bench/cortex-m4/needs.py reads these numbers and proves on
# the emulated board that they suffice; docs/footprint.md has a table of them.
set(need_heap 11300)            # a handshake with both TLS versions, using PSA Crypto
set(need_heap_soft 1100)        # in addition, with Rust's cryptography
set(need_heap_certificate 2620) # per certificate of the path, with RSA-2048
set(need_heap_open 13500)       # an open session, without the outbox and one packet
set(need_record 17029)          # the largest TLS record (RFC 8446, section 5.2), and the reserve required with it
set(need_record_beside 4096)    # with messages in pieces: the buffer that such a record outgrows, and that reserve
set(need_stack_psa 9920)        # a handshake, including the event callback
set(need_stack_soft 15300)
set(need_stack_soft_p384 18440)
set(need_stack_certificate 672)

# Brokers put a large message into large records, and a record must be complete to be decrypted.
set(records 0)
if("${CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES}" GREATER 0)
  math(EXPR records "${CONFIG_THREAD_MQTT_TLS_INBOUND} + ${need_record_beside}")
  if(CONFIG_THREAD_MQTT_TLS_INBOUND LESS 16645)
    thread_mqtt_warn("messages in pieces arrive in TLS records of up to 16645 bytes, and one larger than "
      "CONFIG_THREAD_MQTT_TLS_INBOUND=${CONFIG_THREAD_MQTT_TLS_INBOUND} ends the connection. Set "
      "CONFIG_THREAD_MQTT_TLS_INBOUND to 18437, or CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES=0.")
  endif()
endif()
# malloc's heap must hold what a handshake needs, plus a quarter for malloc itself and larger keys; or an
# open session with a full outbox; plus such records. Whichever does not fit, the cure names a heap that
# suffices for all.
if(DEFINED CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE AND CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE GREATER_EQUAL 0)
  set(arena ${need_heap})
  if(CONFIG_THREAD_MQTT_CRYPTO_SOFT)
    math(EXPR arena "${arena} + ${need_heap_soft}")
  endif()
  math(EXPR arena_handshake "(${arena} + ${need_heap_certificate} * ${CONFIG_THREAD_MQTT_MAX_CHAIN}) * 5 / 4")
  math(EXPR arena_open
    "${need_heap_open} + ${CONFIG_THREAD_MQTT_OUTBOX_BYTES} + ${CONFIG_THREAD_MQTT_MAX_PACKET_SIZE}")
  set(arena ${arena_handshake})
  if(arena LESS arena_open)
    set(arena ${arena_open})
  endif()
  # In addition to what a handshake used, because the memory it frees is fragmented.
  math(EXPR any_record "${arena} + ${need_record}")
  math(EXPR arena "${arena} + ${records}")
  if(CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE LESS arena_handshake)
    thread_mqtt_refuse("the malloc heap of ${CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE} bytes is too small for a TLS "
      "handshake with a chain of ${CONFIG_THREAD_MQTT_MAX_CHAIN} certificates. Set "
      "CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to ${arena} or more, or to -1 for all remaining memory, or "
      "lower CONFIG_THREAD_MQTT_MAX_CHAIN.")
  endif()
  if(CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE LESS arena_open)
    thread_mqtt_refuse("a full outbox (CONFIG_THREAD_MQTT_OUTBOX_BYTES=${CONFIG_THREAD_MQTT_OUTBOX_BYTES}) and a "
      "packet of CONFIG_THREAD_MQTT_MAX_PACKET_SIZE=${CONFIG_THREAD_MQTT_MAX_PACKET_SIZE} bytes do not fit a "
      "heap of ${CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE} bytes. Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to "
      "${arena} or more, or lower one of these options.")
  endif()
  if(records GREATER 0 AND CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE LESS arena)
    thread_mqtt_refuse("messages in pieces arrive in large TLS records, which take ${records} bytes "
      "(CONFIG_THREAD_MQTT_TLS_INBOUND), but the malloc heap only has ${CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE} bytes. "
      "Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to ${arena} or more, or CONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES=0.")
  endif()
  # MQTT 3.1.1 cannot tell a broker what fits.
  if(CONFIG_THREAD_MQTT_VERSION EQUAL 4 AND CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE LESS any_record)
    thread_mqtt_warn("with MQTT 3.1.1 a broker may send messages of any size, in TLS records that do not fit the "
      "malloc heap of ${CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE} bytes. If this device may receive any of over "
      "${CONFIG_THREAD_MQTT_MAX_PACKET_SIZE} bytes, set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to "
      "${any_record}, so that they are skipped. With less, a new session starts if such a message keeps coming.")
  endif()
endif()

# Stack of the thread that performs the handshake.
if(CONFIG_THREAD_MQTT_CRYPTO_PSA)
  set(stack ${need_stack_psa})
elseif(CONFIG_THREAD_MQTT_P384)
  set(stack ${need_stack_soft_p384})
else()
  set(stack ${need_stack_soft})
endif()
math(EXPR stack "${stack} + ${need_stack_certificate} * ${CONFIG_THREAD_MQTT_MAX_CHAIN}")
# native_sim's threads use the host's stacks.
if(NOT CONFIG_ARCH_POSIX)
  if(CONFIG_THREAD_MQTT_C_API)
    set(stack_option THREAD_MQTT_STACK_SIZE)
  else()
    set(stack_option MAIN_STACK_SIZE) # a Rust application runs the client in its main thread
  endif()
  if(CONFIG_${stack_option} LESS stack)
    thread_mqtt_refuse("a handshake with a chain of ${CONFIG_THREAD_MQTT_MAX_CHAIN} certificates does not fit a "
      "stack of ${CONFIG_${stack_option}} bytes. Set CONFIG_${stack_option} to ${stack} or more, or "
      "lower CONFIG_THREAD_MQTT_MAX_CHAIN.")
  endif()
  # thread_mqtt_init() checks the configuration and creates the client.
  if(CONFIG_THREAD_MQTT_C_API AND CONFIG_MAIN_STACK_SIZE LESS 4096)
    thread_mqtt_warn("thread_mqtt_init() needs 4096 bytes of stack, but the main thread has "
      "${CONFIG_MAIN_STACK_SIZE}. Set CONFIG_MAIN_STACK_SIZE to 4096 or more, unless another thread calls it.")
  endif()
endif()

# OpenThread's thread with PSA Crypto in software on its stack: 4336 bytes on an emulated Cortex-M4
# (docs/measurements-zephyr.md). Stack sizes do not matter on the POSIX architecture.
if(CONFIG_NET_L2_OPENTHREAD AND CONFIG_OPENTHREAD_CRYPTO_PSA AND NOT CONFIG_ARCH_POSIX AND
   "${CONFIG_OPENTHREAD_THREAD_STACK_SIZE}" LESS 4608)
  thread_mqtt_warn("OpenThread's thread may overflow its stack of ${CONFIG_OPENTHREAD_THREAD_STACK_SIZE} bytes: with "
    "PSA Crypto in software it used 4336. Set CONFIG_OPENTHREAD_THREAD_STACK_SIZE to 5120, or to the size "
    "measured in your product.")
endif()

# ---------------------------------------------------------------------------
# Addresses. thread_mqtt_init() refuses values that only look like an address.

string(REGEX MATCHALL "[^ ,]+" servers "${CONFIG_THREAD_MQTT_DNS_SERVERS}")
foreach(server ${servers})
  if(NOT server MATCHES "^([0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)$")
    thread_mqtt_refuse("CONFIG_THREAD_MQTT_DNS_SERVERS contains ${server}, which is not an address. Write IPv4 or "
      "IPv6 addresses separated by spaces.")
  endif()
endforeach()
if(NOT CONFIG_THREAD_MQTT_NAT64_PREFIX MATCHES "^([0-9A-Fa-f:]+/(32|40|48|56|64|96))?$")
  thread_mqtt_refuse("CONFIG_THREAD_MQTT_NAT64_PREFIX is ${CONFIG_THREAD_MQTT_NAT64_PREFIX}, which is not a "
    "NAT64 prefix. Write one of 32, 40, 48, 56, 64 or 96 bits, such as 64:ff9b::/96.")
endif()
