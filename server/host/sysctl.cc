// SPDX-License-Identifier: Apache-2.0
#include "server/host/sysctl.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {
namespace {

// "net.ipv4.tcp_fin_timeout" to "net/ipv4/tcp_fin_timeout". Refuses whatever could lead elsewhere.
absl::StatusOr<std::string> path_of(const std::string& name) {
  bool good =
      name.starts_with("net.") && !name.ends_with('.') && name.find("..") == std::string::npos;
  for (const char c : name) {
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-' || c == '.');
  }
  if (!good) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sysctl \"", name, "\": not a dotted name below net., as in net.ipv4.tcp_fin_timeout"));
  }
  return absl::StrReplaceAll(name, {{".", "/"}});
}

// A procfs of our own, attached nowhere: Docker mounts /proc/sys read-only, but a process with
// CAP_SYS_ADMIN may make another instance. -1 where it may not.
int private_proc() {
  static const UniqueFd mount = [] {
    const UniqueFd context(::fsopen("proc", FSOPEN_CLOEXEC));
    if (!context.valid() ||
        ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
      return UniqueFd();
    }
    return UniqueFd(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  }();
  return mount.get();
}

UniqueFd open_setting(const std::string& path, int flags) {
  UniqueFd file(::open(absl::StrCat("/proc/sys/", path).c_str(), flags | O_CLOEXEC));
  if (file.valid() || errno != EROFS || private_proc() < 0) return file;
  return UniqueFd(::openat(private_proc(), absl::StrCat("sys/", path).c_str(), flags | O_CLOEXEC));
}

absl::Status explain(int error, const std::string& name, const std::string& action) {
  const std::string what = absl::StrCat("sysctl ", name, ": ", action);
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(
          absl::StrCat(what, ": kernel ", kernel_release(),
                       " has no such setting in a network namespace of its own"));
    case EROFS:
      return absl::PermissionDeniedError(absl::StrCat(
          what,
          ": /proc/sys is read-only here; in a container add CAP_SYS_ADMIN (docker run "
          "--cap-add SYS_ADMIN)"));
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat(what, ": not permitted (needs CAP_NET_ADMIN over the namespace)"));
    case EINVAL:
    case ERANGE:
      return absl::InvalidArgumentError(absl::StrCat(what, ": the kernel refuses this value"));
    default:
      return absl::ErrnoToStatus(error, what);
  }
}

}  // namespace

absl::Status write_sysctl_here(const std::string& name, const std::string& value) {
  absl::StatusOr<std::string> path = path_of(name);
  if (!path.ok()) return path.status();
  const std::string action = absl::StrCat("setting it to \"", value, "\"");
  // The kernel would take it for a read of nothing and succeed.
  if (value.empty()) return explain(EINVAL, name, action);
  const UniqueFd file = open_setting(*path, O_WRONLY);
  if (!file.valid()) return explain(errno, name, action);
  const ssize_t written = ::write(file.get(), value.data(), value.size());
  if (written < 0) return explain(errno, name, action);
  if (static_cast<size_t>(written) != value.size()) return explain(EINVAL, name, action);
  return absl::OkStatus();
}

absl::StatusOr<std::string> read_sysctl_here(const std::string& name) {
  absl::StatusOr<std::string> path = path_of(name);
  if (!path.ok()) return path.status();
  const UniqueFd file = open_setting(*path, O_RDONLY);
  if (!file.valid()) return explain(errno, name, "reading it");
  char buffer[4096];
  const ssize_t length = ::read(file.get(), buffer, sizeof buffer);
  if (length < 0) return explain(errno, name, "reading it");
  const absl::string_view text(buffer, static_cast<size_t>(length));
  return absl::StrReplaceAll(absl::StripSuffix(text, "\n"), {{"\t", " "}});
}

absl::Status write_sysctl(const NetworkNamespace& ns, const std::string& name,
                          const std::string& value) {
  return ns.run_in([&] { return write_sysctl_here(name, value); });
}

absl::StatusOr<std::string> read_sysctl(const NetworkNamespace& ns, const std::string& name) {
  absl::StatusOr<std::string> value = absl::UnknownError("not run");
  absl::Status status = ns.run_in([&] {
    value = read_sysctl_here(name);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return value;
}

absl::Status apply_sysctls(const NetworkNamespace& ns, std::span<const Sysctl> settings) {
  if (settings.empty()) return absl::OkStatus();
  return ns.run_in([&] {
    for (const Sysctl& setting : settings) {
      absl::Status status = write_sysctl_here(setting.name, setting.value);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  });
}

const std::vector<Sysctl>& kernel_target_defaults() {
  static const std::vector<Sysctl> settings = {
      {"net.ipv4.tcp_invalid_ratelimit", "0",
       "challenge ACKs and answers to out-of-window segments are spaced 500 ms apart otherwise"},
      {"net.ipv4.tcp_challenge_ack_limit", "2147483647",
       "no limit on challenge ACKs of all connections together (off by default since 6.1)"},
      {"net.ipv4.tcp_no_metrics_save", "1",
       "what one connection learnt (RTT, ssthresh) must not alter the next"},
      {"net.ipv4.conf.all.rp_filter", "0",
       "crafted segments from any source must reach TCP; inherited from the machine otherwise"},
      {"net.ipv4.conf.default.rp_filter", "0", "likewise, for devices made later"},
      {"net.ipv4.tcp_fastopen", "3",
       "sockets may use Fast Open (RFC 7413) on both sides; none does that was not asked to"},
      {"net.ipv4.icmp_ratelimit", "0", "every ICMP error that is due must be seen"},
      {"net.ipv6.icmp.ratelimit", "0", "likewise"},
  };
  return settings;
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "unknown";
}

}  // namespace tcproctor::server
