// SPDX-License-Identifier: Apache-2.0
#include "server/host/sysctl.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

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

constexpr char kReading[] = "reading it";
std::string setting_to(const std::string& value) {
  return absl::StrCat("setting it to \"", value, "\"");
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

// Its name is a setting's, and the kernel would take an empty value for a read of nothing and
// succeed.
absl::Status check_setting(const std::string& name, const std::string& value) {
  const absl::StatusOr<std::string> path = path_of(name);
  if (!path.ok()) return path.status();
  return value.empty() ? explain(EINVAL, name, setting_to(value)) : absl::OkStatus();
}

absl::Status write_to(int file, const std::string& name, const std::string& value) {
  const ssize_t written = ::write(file, value.data(), value.size());
  if (written < 0) return explain(errno, name, setting_to(value));
  if (static_cast<size_t>(written) != value.size()) return explain(EINVAL, name, setting_to(value));
  return absl::OkStatus();
}

absl::StatusOr<std::string> read_from(int file, const std::string& name) {
  char buffer[4096];
  const ssize_t length = ::read(file, buffer, sizeof buffer);
  if (length < 0) return explain(errno, name, kReading);
  const absl::string_view text(buffer, static_cast<size_t>(length));
  return absl::StrReplaceAll(absl::StripSuffix(text, "\n"), {{"\t", " "}});
}

}  // namespace

UniqueFd open_sysctl_here(const std::string& name, bool for_writing) {
  const absl::StatusOr<std::string> path = path_of(name);
  if (!path.ok()) {
    errno = EINVAL;
    return {};
  }
  const int flags = (for_writing ? O_WRONLY : O_RDONLY) | O_CLOEXEC;
  UniqueFd file(::open(absl::StrCat("/proc/sys/", *path).c_str(), flags));
  if (file.valid() || errno != EROFS || private_proc() < 0) return file;
  return UniqueFd(::openat(private_proc(), absl::StrCat("sys/", *path).c_str(), flags));
}

absl::Status write_sysctl_here(const std::string& name, const std::string& value) {
  if (absl::Status status = check_setting(name, value); !status.ok()) return status;
  const UniqueFd file = open_sysctl_here(name, true);
  if (!file.valid()) return explain(errno, name, setting_to(value));
  return write_to(file.get(), name, value);
}

absl::StatusOr<std::string> read_sysctl_here(const std::string& name) {
  const absl::StatusOr<std::string> path = path_of(name);
  if (!path.ok()) return path.status();
  const UniqueFd file = open_sysctl_here(name, false);
  if (!file.valid()) return explain(errno, name, kReading);
  return read_from(file.get(), name);
}

absl::Status write_sysctl(const NetworkNamespace& ns, const std::string& name,
                          const std::string& value) {
  const Sysctl setting = {name, value, {}};
  return apply_sysctls(ns, std::span(&setting, 1));
}

absl::StatusOr<std::string> read_sysctl(const NetworkNamespace& ns, const std::string& name) {
  absl::StatusOr<std::vector<absl::StatusOr<std::string>>> values =
      read_sysctls(ns, std::span(&name, 1));
  if (!values.ok()) return values.status();
  return std::move(values->front());
}

absl::StatusOr<std::vector<absl::StatusOr<std::string>>> read_sysctls(
    const NetworkNamespace& ns, std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (const absl::StatusOr<std::string> path = path_of(name); !path.ok()) return path.status();
  }
  const absl::StatusOr<std::vector<BrokerOpened>> files = ns.open_settings(names, false);
  if (!files.ok()) return files.status();
  std::vector<absl::StatusOr<std::string>> values;
  for (size_t i = 0; i < names.size(); ++i) {
    const BrokerOpened& file = (*files)[i];
    values.push_back(file.error == 0 ? read_from(file.fd.get(), names[i])
                                     : explain(file.error, names[i], kReading));
  }
  return values;
}

absl::Status apply_sysctls(const NetworkNamespace& ns, std::span<const Sysctl> settings) {
  std::vector<std::string> names;
  for (const Sysctl& setting : settings) {
    // What stands before a malformed one is applied nevertheless.
    if (!check_setting(setting.name, setting.value).ok()) break;
    names.push_back(setting.name);
  }
  const absl::StatusOr<std::vector<BrokerOpened>> files = ns.open_settings(names, true);
  if (!files.ok()) return files.status();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto& [name, value, reason] = settings[i];
    const BrokerOpened& file = (*files)[i];
    absl::Status status = file.error == 0 ? write_to(file.fd.get(), name, value)
                                          : explain(file.error, name, setting_to(value));
    if (!status.ok()) return status;
  }
  if (names.size() == settings.size()) return absl::OkStatus();
  return check_setting(settings[names.size()].name, settings[names.size()].value);
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
