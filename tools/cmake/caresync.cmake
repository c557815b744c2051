# How every target of the project is built.

option(CARESYNC_ENGINE_ONLY "Build what needs no gRPC: storage/ to sync/ and their tests" OFF)
option(CARESYNC_TESTS "Build the tests" ON)
option(CARESYNC_PLANTED_BUGS "Build with bugs that caresync-sim can plant, to measure what the simulation finds" OFF)
option(CARESYNC_FUZZ "Build the targets of tests/fuzz/ with libFuzzer; needs clang" OFF)
set(CARESYNC_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

if(CARESYNC_SANITIZE)
  add_compile_options(-fsanitize=${CARESYNC_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CARESYNC_SANITIZE})
endif()
if(CARESYNC_FUZZ)
  # All code tells the fuzzer which way it went; the targets alone are linked with it.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(CARESYNC_PLANTED_BUGS)
  add_compile_definitions(CARESYNC_PLANTED_BUGS)
endif()

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(GTest REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(uuid REQUIRED IMPORTED_TARGET uuid)
pkg_check_modules(cjose REQUIRED IMPORTED_TARGET cjose)
find_package(CLI11 REQUIRED)
find_package(CURL 7.87 REQUIRED)
if(NOT CARESYNC_ENGINE_ONLY)
  find_package(gRPC CONFIG REQUIRED)
  find_package(SQLite3 REQUIRED)
endif()

add_library(caresync_warnings INTERFACE)
target_compile_options(caresync_warnings INTERFACE -Wall -Wextra -Wpedantic -Werror -Wno-unused-parameter
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wno-unknown-warning-option -Wno-gnu-zero-variadic-macro-arguments>
  # GCC 12 reports these two inside inlined standard library code.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-maybe-uninitialized>)

# What gives out the memory of a program: mimalloc, ahead of the C library. A sanitizer brings its own.
add_library(caresync_allocator INTERFACE)
if(NOT CARESYNC_SANITIZE)
  find_package(mimalloc REQUIRED)
  # All that it has the C library has too, so that a linker may leave it out.
  target_link_libraries(caresync_allocator INTERFACE -Wl,--push-state,--no-as-needed mimalloc -Wl,--pop-state)
endif()

# caresync_library(NAME SOURCES ... DEPS ...): one folder's library.
function(caresync_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE caresync_warnings)
endfunction()

# caresync_test(NAME SOURCES ... DEPS ...): one folder's tests, each discovered by ctest.
function(caresync_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PROPERTIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} caresync_warnings GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 ${ARG_PROPERTIES})
endfunction()
include(GoogleTest)
