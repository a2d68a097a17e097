// SPDX-License-Identifier: Apache-2.0
#include "server/host/user_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/host/interface.h"
#include "server/host/namespace.h"
#include "server/host/namespace_broker.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {
namespace {

struct Capabilities {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
};

constexpr std::pair<int, const char*> kNeeded[] = {{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                                   {CAP_NET_RAW, "CAP_NET_RAW"},
                                                   {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};

bool entered_user_namespace = false;  // written before any thread exists

absl::Status write_file(const char* path, const std::string& text) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (file.valid() && ::write(file.get(), text.data(), text.size()) >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("writing \"", text, "\" to ", path));
}

// The setting's value; -1 when this kernel has no such setting.
long setting(const char* path) {
  std::ifstream file(path);
  long value = -1;
  return file >> value ? value : -1;
}

// Which of the known locks on user namespaces is shut.
std::string why_forbidden(int error) {
  std::vector<std::string> reasons;
  if (setting("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    reasons.push_back("kernel.unprivileged_userns_clone is 0 (set it to 1)");
  }
  if (setting("/proc/sys/user/max_user_namespaces") == 0) {
    reasons.push_back("user.max_user_namespaces is 0 (raise it)");
  }
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    reasons.push_back("kernel.apparmor_restrict_unprivileged_userns is 1 (set it to 0)");
  }
  if (reasons.empty() && error == EPERM) {
    reasons.push_back("a container's seccomp filter or a chroot stands against it");
  }
  if (reasons.empty()) reasons.push_back(std::strerror(error));
  return absl::StrJoin(reasons, "; ");
}

absl::Status forbidden(const std::vector<std::string>& missing, int error) {
  return absl::PermissionDeniedError(absl::StrCat(
      "missing ", absl::StrJoin(missing, ", "),
      ", and a user namespace of our own is not possible: ", why_forbidden(error),
      ". Otherwise start as root, or in a container with --cap-add NET_ADMIN --cap-add NET_RAW "
      "--cap-add SYS_ADMIN"));
}

absl::Status taken_away(const std::vector<std::string>& missing) {
  return absl::PermissionDeniedError(
      absl::StrCat("missing ", absl::StrJoin(missing, ", "),
                   ", taken away from a process that has CAP_SYS_ADMIN: give it back, in a "
                   "container with --cap-add NET_ADMIN --cap-add NET_RAW --cap-add SYS_ADMIN"));
}

// Capabilities of the executable without its effective bit (setcap …+p) are permitted at first, not
// effective: such a file can be executed where one of them is forbidden, and we can say which.
void raise_permitted_capabilities() {
  Capabilities now;
  if (::syscall(SYS_capget, &now.header, now.data) != 0) return;
  for (__user_cap_data_struct& word : now.data) word.effective = word.permitted;
  ::syscall(SYS_capset, &now.header, now.data);  // what could not be raised is told as missing
}

size_t thread_count() {
  std::error_code ignored;
  size_t count = 0;
  for (std::filesystem::directory_iterator task("/proc/self/task", ignored), end; task != end;
       task.increment(ignored)) {
    ++count;
  }
  return count;
}

absl::Status map_own_ids(uid_t uid, gid_t gid) {
  // Without "deny" an unprivileged process may not write gid_map (user_namespaces(7)).
  if (absl::Status status = write_file("/proc/self/setgroups", "deny"); !status.ok()) return status;
  if (absl::Status status = write_file("/proc/self/uid_map", absl::StrCat("0 ", uid, " 1"));
      !status.ok()) {
    return status;
  }
  return write_file("/proc/self/gid_map", absl::StrCat("0 ", gid, " 1"));
}

absl::Status enter_user_namespace(const std::vector<std::string>& missing) {
  if (thread_count() > 1) {
    return absl::FailedPreconditionError(
        "a user namespace can only be entered before there are threads");
  }
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return forbidden(missing, errno);
  if (absl::Status status = map_own_ids(uid, gid); !status.ok()) return status;
  entered_user_namespace = true;
  if (absl::Status status = start_namespace_broker(); !status.ok()) return status;
  // AppArmor lets the namespace be made and then denies what it is for.
  return check_namespaces().ok() ? absl::OkStatus() : forbidden(missing, EPERM);
}

}  // namespace

std::vector<std::string> missing_capabilities() {
  Capabilities now;
  // Cannot fail for ourselves; if it does, all are missing.
  ::syscall(SYS_capget, &now.header, now.data);
  std::vector<std::string> missing;
  for (const auto& [number, name] : kNeeded) {
    if (((now.data[number / 32].effective >> (number % 32)) & 1) == 0) missing.emplace_back(name);
  }
  return missing;
}

absl::StatusOr<Privilege> acquire_privilege() {
  raise_permitted_capabilities();
  const std::vector<std::string> missing = missing_capabilities();
  if (absl::c_linear_search(missing, "CAP_SYS_ADMIN")) {
    if (absl::Status status = enter_user_namespace(missing); !status.ok()) return status;
    return Privilege::kUserNamespace;
  }
  if (absl::Status status = start_namespace_broker(); !status.ok()) return status;
  // Whoever gives CAP_SYS_ADMIN and withholds another means it: a user namespace would undo that.
  if (!missing.empty()) return taken_away(missing);
  return Privilege::kFull;
}

absl::Status keep_only(std::initializer_list<int> capabilities) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return absl::ErrnoToStatus(errno, "giving up what an executed file could bring (no_new_privs)");
  }
  // Fails at the first number this kernel does not know, and where CAP_SETPCAP is not permitted.
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (absl::c_linear_search(capabilities, capability)) continue;
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  Capabilities now;
  if (::syscall(SYS_capget, &now.header, now.data) != 0) {
    return absl::ErrnoToStatus(errno, "reading the capabilities of this process");
  }
  Capabilities kept;
  for (const int capability : capabilities) {
    const uint32_t bit = 1U << (capability % 32);
    kept.data[capability / 32].permitted |= now.data[capability / 32].permitted & bit;
  }
  for (__user_cap_data_struct& word : kept.data) word.effective = word.permitted;
  if (::syscall(SYS_capset, &kept.header, kept.data) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "giving capabilities up");
}

std::string user_namespace_path() {
  return entered_user_namespace ? absl::StrCat("/proc/", ::getpid(), "/ns/user") : std::string();
}

absl::Status check_namespaces() {
  return NetworkNamespace::create().status();
}

absl::Status check_tun() {
  constexpr const char* kNode = "/dev/net/tun";
  if (::access(kNode, F_OK) != 0) {
    return absl::NotFoundError(
        "/dev/net/tun does not exist: load the module (modprobe tun), or in a container add "
        "--device /dev/net/tun");
  }
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
  if (!ns.ok()) return ns.status();
  const absl::Status opened = (*ns)->open_tun().status();
  if (absl::IsPermissionDenied(opened)) {
    return absl::PermissionDeniedError(absl::StrCat(
        "/dev/net/tun may not be opened by uid ", ::getuid(),
        ": give it mode 0666 (the usual one), or in a container add --device /dev/net/tun"));
  }
  if (absl::IsUnavailable(opened)) return opened;
  if (!opened.ok()) {
    return absl::Status(opened.code(), absl::StrCat("/dev/net/tun: no TUN driver in this kernel (",
                                                    opened.message(), ")"));
  }
  InterfaceSpec spec;
  spec.name = "check";
  return create_tun(**ns, spec, false).status();
}

}  // namespace tcproctor::server
