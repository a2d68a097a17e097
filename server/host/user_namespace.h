// SPDX-License-Identifier: Apache-2.0
// What this process may do, and how it gets there without being root: a user namespace of its own,
// where it has every capability over the network namespaces it makes.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tcproctor::server {

enum class Privilege {
  kFull,           // CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN were there already
  kUserNamespace,  // they are there now, inside a user namespace of our own
};

// Call first thing in main, before any thread exists (unshare(CLONE_NEWUSER) needs a process with
// one thread), and once. Capabilities that are permitted become effective. When these three are not
// among them, enters a new user namespace in which the caller's uid and gid are 0 (setgroups
// denied); the network namespace stays the caller's, so that the daemon can listen where it was
// started. Then starts the namespace broker (namespace_broker.h), which has CAP_SYS_ADMIN from now
// on; this process has it until keep_only().
// PERMISSION_DENIED: not possible here; the message names what is missing (the capabilities, and
// which setting forbids user namespaces: kernel.unprivileged_userns_clone,
// user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns, a container's seccomp
// filter) and the remedy. With CAP_SYS_ADMIN but without another of the three no user namespace is
// entered: it was taken away on purpose.
// FAILED_PRECONDITION: called when there are threads already.
absl::StatusOr<Privilege> acquire_privilege();

// Gives up every other capability for good: permitted, effective, inheritable, ambient, and as far
// as CAP_SETPCAP allows the bounding set; no_new_privs keeps even an executed file from bringing
// one back. Before there are threads, each of which has its own.
absl::Status keep_only(std::initializer_list<int> capabilities);

// Names of those of the three capabilities that are not effective now, e.g. "CAP_NET_RAW".
std::vector<std::string> missing_capabilities();

// "/proc/PID/ns/user" when this process lives in a user namespace made by the call above, which
// another process must enter before our network namespaces; empty otherwise.
std::string user_namespace_path();

// Ok when namespaces and veth pairs can be made here (it makes a namespace and drops it).
absl::Status check_namespaces();
// Ok when a TUN device can be made; otherwise says whether /dev/net/tun is absent (container: add
// --device /dev/net/tun), not openable, or without driver.
absl::Status check_tun();

}  // namespace tcproctor::server
