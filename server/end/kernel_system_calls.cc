// SPDX-License-Identifier: Apache-2.0
// What scripts reach through a shell, in the end's namespace: settings, counters, the device's
// queue, what the kernel remembers of its peers.
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/end/kernel_sockets.h"
#include "server/host/queue.h"
#include "server/host/sysctl.h"
#include "server/host/tcp_metrics.h"

namespace tcproctor::server {
namespace {

constexpr absl::string_view kModulePrefix = "module.";

v1::SocketCallResponse told(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk: {
      v1::SocketCallResponse done;
      done.set_result(0);
      return done;
    }
    case absl::StatusCode::kNotFound:
      return socket_error(ENOENT);
    case absl::StatusCode::kPermissionDenied:
      return socket_error(EPERM);
    default:
      return socket_error(EINVAL);
  }
}

// "module.tcp_cubic.hystart_detect": of the whole machine, so that it can only be compared.
absl::Status compare_parameter(const std::string& name, const std::string& value) {
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  if (parts.size() != 3 || name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": want module.NAME.PARAMETER"));
  }
  std::ifstream file(absl::StrCat("/sys/module/", parts[1], "/parameters/", parts[2]));
  std::string is;
  if (!std::getline(file, is)) return absl::NotFoundError(name);
  if (is == value) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(name, " is ", is, " and belongs to the whole machine"));
}

v1::SocketCallResponse setting(const v1::SystemSetting& call, const NetworkNamespace& ns) {
  return told(absl::StartsWith(call.name(), kModulePrefix)
                  ? compare_parameter(call.name(), call.value())
                  : write_sysctl(ns, call.name(), call.value()));
}

std::string read_all(int file) {
  std::string text;
  char buffer[4096];
  for (ssize_t length; (length = ::read(file, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(length));
  }
  return text;
}

// Pairs of lines: "TcpExt: A B C" and "TcpExt: 1 2 3".
void read_counters(const std::string& text, v1::SocketCallResponse& response) {
  std::istringstream in(text);
  std::string names, values;
  while (std::getline(in, names) && std::getline(in, values)) {
    std::istringstream name_words(names), value_words(values);
    std::string group, name;
    int64_t value = 0;
    name_words >> group;
    value_words >> name;
    if (!group.empty()) group.pop_back();
    while (name_words >> name && value_words >> value) {
      (*response.mutable_counters())[group + name] = value;
    }
  }
}

v1::SocketCallResponse counters(const NetworkNamespace& ns) {
  v1::SocketCallResponse response;
  for (const char* name : {"netstat", "snmp"}) {
    const absl::StatusOr<UniqueFd> file = ns.open_counters(name);
    if (!file.ok()) return socket_error(EPERM);
    read_counters(read_all(file->get()), response);
  }
  return response;
}

}  // namespace

v1::SocketCallResponse make_system_call(const v1::SocketCallRequest& request,
                                        const NetworkNamespace& ns) {
  using Request = v1::SocketCallRequest;
  switch (request.call_case()) {
    case Request::kSetting:
      return setting(request.setting(), ns);
    case Request::kCounters:
      return counters(ns);
    case Request::kQueue: {
      const v1::DeviceQueue& queue = request.queue();
      return told(set_queue(ns, queue.kind(),
                            queue.has_limit() ? std::optional(queue.limit()) : std::nullopt));
    }
    case Request::kFlushMetrics:
      return told(forget_tcp_metrics(ns));
    default:
      return socket_error(ENOSYS);
  }
}

}  // namespace tcproctor::server
