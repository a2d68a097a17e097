// SPDX-License-Identifier: Apache-2.0
// Settings below /proc/sys/net of one network namespace.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/host/namespace.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {

struct Sysctl {
  std::string name;    // dotted, e.g. "net.ipv4.tcp_fin_timeout"; only "net." is accepted
  std::string value;   // as written to the file, e.g. "4096 131072 6291456"
  std::string reason;  // why it is set; empty where a user asked for it
};

// All errors name the sysctl and what was tried:
// INVALID_ARGUMENT: malformed name, or the kernel refused the value.
// NOT_FOUND: this kernel has no such setting, or it is not one of a namespace of its own (only
//   visible in the machine's first namespace).
// PERMISSION_DENIED: not changeable from here, e.g. read-only /proc/sys in a container without
//   CAP_SYS_ADMIN.
absl::Status write_sysctl(const NetworkNamespace& ns, const std::string& name,
                          const std::string& value);
// Without the trailing newline; tabs between several values become one space.
absl::StatusOr<std::string> read_sysctl(const NetworkNamespace& ns, const std::string& name);
// Of each of them, as read_sysctl() has it.
absl::StatusOr<std::vector<absl::StatusOr<std::string>>> read_sysctls(
    const NetworkNamespace& ns, std::span<const std::string> names);
// In order; stops at the first error.
absl::Status apply_sysctls(const NetworkNamespace& ns, std::span<const Sysctl> settings);

// The same for the namespace the calling thread is in.
absl::Status write_sysctl_here(const std::string& name, const std::string& value);
absl::StatusOr<std::string> read_sysctl_here(const std::string& name);
// Its file; none, and errno, where it cannot be opened.
UniqueFd open_sysctl_here(const std::string& name, bool for_writing);

// What the kernel's TCP needs to be examined fairly, each with its reason. All of them exist in
// kernels since 4.19. Apply before the devices are made.
const std::vector<Sysctl>& kernel_target_defaults();

// uname -r.
std::string kernel_release();

}  // namespace tcproctor::server
