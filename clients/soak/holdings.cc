// SPDX-License-Identifier: Apache-2.0
#include "clients/soak/holdings.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tcproctor::soak {

namespace fs = std::filesystem;

absl::StatusOr<Holdings> holdings_of(pid_t pid) {
  const std::string process = absl::StrCat("/proc/", pid);
  Holdings held;
  std::set<std::string> namespaces;
  std::error_code error;
  fs::directory_iterator descriptor(process + "/fd", error);
  while (!error && descriptor != fs::directory_iterator()) {
    ++held.descriptors;
    std::error_code closed_meanwhile;
    const std::string target = fs::read_symlink(descriptor->path(), closed_meanwhile).string();
    if (absl::StartsWith(target, "net:[")) namespaces.insert(target);
    descriptor.increment(error);
  }
  held.namespaces = namespaces.size();
  std::ifstream status(process + "/status");
  for (std::string word; status >> word && word != "VmRSS:";) {
  }
  if (error || !(status >> held.resident_kib)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "process ", pid, " cannot be looked at: ", error ? error.message() : "it ended"));
  }
  return held;
}

}  // namespace tcproctor::soak
