// SPDX-License-Identifier: Apache-2.0
#include "server/host/tcp_metrics.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/tcp_metrics.h>
#include <netlink/attr.h>

#include <utility>

#include "server/host/netlink.h"

namespace tcproctor::server {
namespace {

absl::Status forget_here() {
  const absl::StatusOr<UniqueFd> socket = open_generic_socket();
  if (!socket.ok()) return socket.status();
  // Generic netlink numbers its families as it meets them.
  RouteMessage look_up(GENL_ID_CTRL, 0, "looking for tcp_metrics");
  look_up.header(genlmsghdr{.cmd = CTRL_CMD_GETFAMILY, .version = 1, .reserved = 0})
      .attribute_string(CTRL_ATTR_FAMILY_NAME, TCP_METRICS_GENL_NAME);
  RouteBatch question;
  question.add(std::move(look_up));
  uint16_t family = 0;
  absl::Status status = question.execute(socket->get(), [&](nlmsghdr* answer) {
    const nlattr* number = nlmsg_find_attr(answer, GENL_HDRLEN, CTRL_ATTR_FAMILY_ID);
    if (number != nullptr) family = nla_get_u16(number);
  });
  if (!status.ok()) return status;
  if (family == 0) return absl::NotFoundError("this kernel has no tcp_metrics");
  // Without an address: of all peers.
  RouteMessage forget(family, 0, "forgetting TCP's metrics");
  forget.header(
      genlmsghdr{.cmd = TCP_METRICS_CMD_DEL, .version = TCP_METRICS_GENL_VERSION, .reserved = 0});
  RouteBatch flush;
  flush.add(std::move(forget));
  return flush.execute(socket->get());
}

}  // namespace

absl::Status forget_tcp_metrics(const NetworkNamespace& ns) {
  return ns.run_in([] { return forget_here(); });
}

}  // namespace tcproctor::server
