// SPDX-License-Identifier: Apache-2.0
#include "server/host/queue.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <memory>
#include <string_view>
#include <utility>

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

absl::Status set_queue_here(const std::string& kind, std::optional<uint32_t> limit) {
  const absl::StatusOr<UniqueFd> socket = open_route_socket();
  if (!socket.ok()) return socket.status();
  struct Free {
    void operator()(struct if_nameindex* list) const { ::if_freenameindex(list); }
  };
  const std::unique_ptr<struct if_nameindex, Free> devices(::if_nameindex());
  if (!devices) return absl::ErrnoToStatus(errno, "listing network devices");
  for (const struct if_nameindex* device = devices.get(); device->if_index != 0; ++device) {
    if (std::string_view(device->if_name) == "lo") continue;
    const absl::Status status = kind.empty()
                                    ? default_queue(socket->get(), device->if_index)
                                    : replace_queue(socket->get(), device->if_index, kind, limit);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status set_queue(const NetworkNamespace& ns, const std::string& kind,
                       std::optional<uint32_t> limit) {
  return ns.run_in([&] { return set_queue_here(kind, limit); });
}

}  // namespace tcproctor::server
