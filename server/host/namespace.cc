// SPDX-License-Identifier: Apache-2.0
#include "server/host/namespace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::from_fd(UniqueFd fd) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, "reading a network namespace's inode");
  }
  return std::unique_ptr<NetworkNamespace>(new NetworkNamespace(std::move(fd), info.st_ino));
}

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::create() {
  BrokerRequest request;
  request.task = BrokerTask::kMakeNamespace;
  absl::StatusOr<std::vector<BrokerOpened>> made = ask_broker(request, -1);
  if (!made.ok()) return made.status();
  if (!made->front().fd.valid()) {
    return absl::ErrnoToStatus(made->front().error, "taking a network namespace");
  }
  return from_fd(std::move(made->front().fd));
}

absl::StatusOr<std::unique_ptr<NetworkNamespace>> NetworkNamespace::current() {
  UniqueFd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return absl::ErrnoToStatus(errno, "opening /proc/thread-self/ns/net");
  return from_fd(std::move(fd));
}

std::string NetworkNamespace::path() const {
  return absl::StrCat("/proc/", ::getpid(), "/fd/", fd());
}

absl::StatusOr<UniqueFd> NetworkNamespace::open_one(const BrokerRequest& request,
                                                    const std::string& what, int* error) const {
  if (error != nullptr) *error = 0;
  absl::StatusOr<std::vector<BrokerOpened>> opened = ask_broker(request, fd());
  if (!opened.ok()) return opened.status();
  BrokerOpened& one = opened->front();
  if (one.fd.valid()) return std::move(one.fd);
  if (error != nullptr) *error = one.error;
  return absl::ErrnoToStatus(one.error, absl::StrCat(what, " in a network namespace"));
}

absl::StatusOr<UniqueFd> NetworkNamespace::open_socket(int domain, int type, int protocol,
                                                       int* error) const {
  BrokerRequest request;
  request.task = BrokerTask::kOpenSocket;
  request.domain = domain;
  request.type = type;
  request.protocol = protocol;
  return open_one(request, absl::StrCat("socket(", domain, ", ", type, ", ", protocol, ")"), error);
}

absl::StatusOr<UniqueFd> NetworkNamespace::open_counters(const std::string& name) const {
  BrokerRequest request;
  request.task = BrokerTask::kOpenCounters;
  if (!request.add_name(name)) return absl::InvalidArgumentError("counters: no such file");
  return open_one(request, absl::StrCat("opening /proc/net/", name), nullptr);
}

absl::StatusOr<UniqueFd> NetworkNamespace::open_tun() const {
  BrokerRequest request;
  request.task = BrokerTask::kOpenTun;
  return open_one(request, "opening /dev/net/tun", nullptr);
}

absl::StatusOr<std::vector<BrokerOpened>> NetworkNamespace::open_settings(
    std::span<const std::string> names, bool for_writing) const {
  std::vector<BrokerOpened> all;
  while (!names.empty()) {
    BrokerRequest request;
    request.task = BrokerTask::kOpenSettings;
    request.for_writing = for_writing ? 1 : 0;
    const auto some = names.first(std::min(names.size(), BrokerRequest::kMaxNames));
    for (const std::string& name : some) {
      // No setting has so long a name.
      if (!request.add_name(name))
        return absl::ErrnoToStatus(ENOENT, absl::StrCat("sysctl ", name));
    }
    absl::StatusOr<std::vector<BrokerOpened>> opened = ask_broker(request, fd());
    if (!opened.ok()) return opened.status();
    std::move(opened->begin(), opened->end(), std::back_inserter(all));
    names = names.subspan(some.size());
  }
  return all;
}

}  // namespace tcproctor::server
