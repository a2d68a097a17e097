// SPDX-License-Identifier: Apache-2.0
#include "server/host/tcp_metrics.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/tcp_metrics.h>
#include <netlink/attr.h>

#include <string>
#include <utility>

#include "server/host/netlink.h"
#include "server/host/sysctl.h"

namespace tcproctor::server {
namespace {

// Null: of all peers.
absl::Status forget_metrics(int socket, const packet::IpAddress* peer) {
  // Generic netlink numbers its families as it meets them.
  RouteMessage look_up(GENL_ID_CTRL, 0, "looking for tcp_metrics");
  look_up.header(genlmsghdr{.cmd = CTRL_CMD_GETFAMILY, .version = 1, .reserved = 0})
      .attribute_string(CTRL_ATTR_FAMILY_NAME, TCP_METRICS_GENL_NAME);
  RouteBatch question;
  question.add(std::move(look_up));
  uint16_t family = 0;
  const absl::Status status = question.execute(socket, [&](nlmsghdr* answer) {
    const nlattr* number = nlmsg_find_attr(answer, GENL_HDRLEN, CTRL_ATTR_FAMILY_ID);
    if (number != nullptr) family = nla_get_u16(number);
  });
  if (!status.ok()) return status;
  if (family == 0) return absl::NotFoundError("this kernel has no tcp_metrics");
  RouteMessage forget(family, 0, "forgetting TCP's metrics");
  forget.header(
      genlmsghdr{.cmd = TCP_METRICS_CMD_DEL, .version = TCP_METRICS_GENL_VERSION, .reserved = 0});
  if (peer != nullptr) {
    forget.attribute(peer->is_v4() ? TCP_METRICS_ATTR_ADDR_IPV4 : TCP_METRICS_ATTR_ADDR_IPV6,
                     peer->bytes().data(), peer->bytes().size());
  }
  RouteBatch flush;
  flush.add(std::move(forget));
  return flush.execute(socket);
}

RouteMessage about_route(uint16_t type, const packet::IpAddress& peer, uint32_t flags,
                         std::string what) {
  RouteMessage message(type, 0, std::move(what));
  message.header(rtmsg{.rtm_family = netlink_family(peer),
                       .rtm_dst_len = static_cast<uint8_t>(8 * peer.bytes().size()),
                       .rtm_table = RT_TABLE_MAIN,
                       .rtm_flags = flags});
  message.attribute(RTA_DST, peer.bytes().data(), peer.bytes().size());
  return message;
}

// What the route to it would say of itself only if somebody had set it.
absl::StatusOr<bool> has_path_mtu(int socket, const packet::IpAddress& peer) {
  RouteBatch question;
  question.add(about_route(RTM_GETROUTE, peer, 0, "looking for the route to a peer"));
  bool has = false;
  const absl::Status status = question.execute(socket, [&has](nlmsghdr* answer) {
    nlattr* metrics = nlmsg_find_attr(answer, sizeof(rtmsg), RTA_METRICS);
    has = metrics != nullptr &&
          nla_find(static_cast<nlattr*>(nla_data(metrics)), nla_len(metrics), RTAX_MTU) != nullptr;
  });
  if (!status.ok()) return status;
  return has;
}

absl::Status forget_path(const NetworkNamespace& ns, int socket, const packet::IpAddress& peer) {
  if (peer.is_v6()) {
    RouteBatch flush;
    flush.add(about_route(RTM_DELROUTE, peer, RTM_F_CLONED, "forgetting the path to a peer"));
    return flush.execute(socket);
  }
  const absl::StatusOr<bool> has = has_path_mtu(socket, peer);
  if (!has.ok() || !*has) return has.status();
  return write_sysctl(ns, "net.ipv4.route.flush", "1");
}

}  // namespace

absl::Status forget_tcp_metrics(const NetworkNamespace& ns) {
  const absl::StatusOr<UniqueFd> generic = open_generic_socket(ns);
  return generic.ok() ? forget_metrics(generic->get(), nullptr) : generic.status();
}

absl::Status forget_peer(const NetworkNamespace& ns, const packet::IpAddress& peer) {
  const absl::StatusOr<UniqueFd> generic = open_generic_socket(ns);
  if (!generic.ok()) return generic.status();
  const absl::StatusOr<UniqueFd> route = open_route_socket(ns);
  if (!route.ok()) return route.status();
  absl::Status metrics = forget_metrics(generic->get(), &peer);
  absl::Status path = forget_path(ns, route->get(), peer);
  // There was nothing, or there is no way to it any more.
  for (absl::Status* status : {&metrics, &path}) {
    if (absl::IsNotFound(*status) || absl::IsUnavailable(*status)) *status = absl::OkStatus();
  }
  metrics.Update(path);
  return metrics;
}

}  // namespace tcproctor::server
