# SPDX-License-Identifier: Apache-2.0
# Every package from Debian 12 that the project links, found in one place.

find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(pugixml REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBNL REQUIRED IMPORTED_TARGET libnl-3.0 libnl-route-3.0 libnl-idiag-3.0)
pkg_check_modules(LIBPCAP REQUIRED IMPORTED_TARGET libpcap)
