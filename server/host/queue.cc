// SPDX-License-Identifier: Apache-2.0
#include "server/host/queue.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/host/netlink.h"

namespace tcproctor::server {
namespace {

RouteMessage request_for(unsigned index, uint16_t type, uint16_t flags, const std::string& what) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(index);
  header.tcm_parent = TC_H_ROOT;
  RouteMessage message(type, flags, what);
  message.header(header);
  return message;
}

absl::Status default_queue(int socket, unsigned index) {
  RouteBatch batch;
  batch.add(request_for(index, RTM_DELQDISC, 0, "the default queueing discipline"));
  const absl::Status status = batch.execute(socket);
  // It has none but the default.
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status replace_queue(int socket, unsigned index, const std::string& kind,
                           std::optional<uint32_t> limit) {
  RouteMessage message =
      request_for(index, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, absl::StrCat("qdisc ", kind));
  message.attribute_string(TCA_KIND, kind);
  if (limit && kind == "pfifo") {
    const tc_fifo_qopt options{.limit = *limit};
    message.attribute(TCA_OPTIONS, &options, sizeof options);
  } else if (limit && kind == "fq") {
    message.begin_nested(TCA_OPTIONS).attribute_u32(TCA_FQ_PLIMIT, *limit).end_nested();
  } else if (limit) {
    return absl::InvalidArgumentError(absl::StrCat("qdisc ", kind, ": a limit is for pfifo, fq"));
  }
  RouteBatch batch;
  batch.add(std::move(message));
  return batch.execute(socket);
}

// Of all devices but the loopback.
absl::StatusOr<std::vector<unsigned>> list_devices(int socket) {
  RouteMessage message(RTM_GETLINK, NLM_F_DUMP, "listing network devices");
  message.header(ifinfomsg{});
  RouteBatch batch;
  batch.add(std::move(message));
  std::vector<unsigned> devices;
  const absl::Status status = batch.execute(socket, [&devices](nlmsghdr* answer) {
    const auto& device = *static_cast<const ifinfomsg*>(nlmsg_data(answer));
    if ((device.ifi_flags & IFF_LOOPBACK) == 0)
      devices.push_back(static_cast<unsigned>(device.ifi_index));
  });
  if (!status.ok()) return status;
  return devices;
}

}  // namespace

absl::Status set_queue(const NetworkNamespace& ns, const std::string& kind,
                       std::optional<uint32_t> limit) {
  const absl::StatusOr<UniqueFd> socket = open_route_socket(ns);
  if (!socket.ok()) return socket.status();
  const absl::StatusOr<std::vector<unsigned>> devices = list_devices(socket->get());
  if (!devices.ok()) return devices.status();
  for (const unsigned device : *devices) {
    const absl::Status status = kind.empty() ? default_queue(socket->get(), device)
                                             : replace_queue(socket->get(), device, kind, limit);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace tcproctor::server
