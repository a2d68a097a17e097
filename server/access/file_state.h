// SPDX-License-Identifier: Apache-2.0
// Whether a file is still the one that was read.
#pragma once

#include <sys/stat.h>

#include <string>

namespace tcproctor::server {

// All zero where there is no such file.
inline struct stat state_of(const std::string& path) {
  struct stat state {};
  if (stat(path.c_str(), &state) != 0) state = {};
  return state;
}

inline bool same_file(const struct stat& one, const struct stat& other) {
  return one.st_ino == other.st_ino && one.st_dev == other.st_dev && one.st_size == other.st_size &&
         one.st_mtim.tv_sec == other.st_mtim.tv_sec && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

}  // namespace tcproctor::server
