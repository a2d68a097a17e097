// SPDX-License-Identifier: Apache-2.0
#include "server/host/interface.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/host/netlink.h"
#include "server/host/offload.h"
#include "server/host/sysctl.h"

namespace tcproctor::server {
namespace {

ifreq named_request(const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), std::min(name.size(), size_t{IFNAMSIZ - 1}));
  return request;
}

// --- what a specification may say ---

absl::Status wrong(const InterfaceSpec& spec, absl::string_view field, absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat("interface \"", spec.name, "\": ", field, ": ", message));
}

absl::Status check_name(const InterfaceSpec& spec) {
  bool good =
      !spec.name.empty() && spec.name.size() < IFNAMSIZ && spec.name != "." && spec.name != "..";
  for (const char c : spec.name) good = good && c > ' ' && c < 127 && c != '/' && c != ':';
  if (good) return absl::OkStatus();
  return wrong(spec, "name", "1 to 15 printable octets without '/', ':' and white space");
}

absl::Status check_prefix(const InterfaceSpec& spec, absl::string_view field,
                          const packet::IpAddress& address, uint8_t prefix_length) {
  const int limit = address.is_v4() ? 32 : 128;
  if (prefix_length <= limit) return absl::OkStatus();
  return wrong(spec, field,
               absl::StrCat(address.to_string(), "/", prefix_length,
                            ": the prefix length must be 0..", limit));
}

absl::Status check_addresses(const InterfaceSpec& spec) {
  for (const host::InterfaceAddress& own : spec.addresses) {
    if (own.address.is_unspecified() || own.address.is_multicast() || own.address.is_broadcast()) {
      return wrong(spec, "addresses",
                   absl::StrCat(own.address.to_string(), " is not a unicast address"));
    }
    if (own.address.is_v6() && spec.mtu < 1280) {
      return wrong(spec, "mtu", absl::StrCat(spec.mtu, ": IPv6 needs at least 1280 (RFC 8200 §5)"));
    }
    if (absl::Status status = check_prefix(spec, "addresses", own.address, own.prefix_length);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status check(const InterfaceSpec& spec) {
  if (absl::Status status = check_name(spec); !status.ok()) return status;
  if (spec.mtu < 68 || spec.mtu > 65535) {
    return wrong(spec, "mtu", absl::StrCat(spec.mtu, ": must be 68..65535"));
  }
  if (spec.tx_queue_length > 1'000'000) {
    return wrong(spec, "tx_queue_length", "must be 0..1000000 packets");
  }
  if (spec.mac && (spec.mac->is_multicast() || *spec.mac == packet::MacAddress{})) {
    return wrong(spec, "mac", absl::StrCat(spec.mac->to_string(), " is not a unicast address"));
  }
  for (const Route& route : spec.routes) {
    if (absl::Status status = check_prefix(spec, "routes", route.destination, route.prefix_length);
        !status.ok()) {
      return status;
    }
    if (route.gateway && route.gateway->family() != route.destination.family()) {
      return wrong(spec, "routes", "gateway and destination are of different families");
    }
  }
  return check_addresses(spec);
}

// --- netlink requests ---

void add_link_attributes(RouteMessage& message, const InterfaceSpec& spec) {
  message.attribute_string(IFLA_IFNAME, spec.name)
      .attribute_u32(IFLA_MTU, spec.mtu)
      .attribute_u32(IFLA_TXQLEN, spec.tx_queue_length);
  if (spec.mac) message.attribute(IFLA_ADDRESS, spec.mac->bytes.data(), spec.mac->bytes.size());
}

RouteMessage veth_request(const InterfaceSpec& a, const InterfaceSpec& b, int b_namespace) {
  RouteMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                       absl::StrCat("making veth pair ", a.name, " and ", b.name));
  message.header(ifinfomsg{});
  add_link_attributes(message, a);
  message.begin_nested(IFLA_LINKINFO)
      .attribute_string(IFLA_INFO_KIND, "veth")
      .begin_nested(IFLA_INFO_DATA)
      .begin_nested(VETH_INFO_PEER)
      .header(ifinfomsg{});
  add_link_attributes(message, b);
  message.attribute_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(b_namespace));
  message.end_nested().end_nested().end_nested();
  return message;
}

RouteMessage up_request(const InterfaceSpec& spec, uint32_t index) {
  RouteMessage message(RTM_NEWLINK, 0, absl::StrCat("bringing ", spec.name, " up"));
  message.header(
      ifinfomsg{.ifi_index = static_cast<int>(index), .ifi_flags = IFF_UP, .ifi_change = IFF_UP});
  message.attribute_u32(IFLA_MTU, spec.mtu).attribute_u32(IFLA_TXQLEN, spec.tx_queue_length);
  return message;
}

RouteMessage address_request(const InterfaceSpec& spec, uint32_t index,
                             const host::InterfaceAddress& own) {
  RouteMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                       absl::StrCat("adding address ", own.address.to_string(), "/",
                                    own.prefix_length, " to ", spec.name));
  const std::span<const uint8_t> bytes = own.address.bytes();
  message.header(ifaddrmsg{.ifa_family = netlink_family(own.address),
                           .ifa_prefixlen = own.prefix_length,
                           .ifa_flags = own.address.is_v6() ? uint8_t{IFA_F_NODAD} : uint8_t{0},
                           .ifa_scope = RT_SCOPE_UNIVERSE,
                           .ifa_index = index});
  message.attribute(IFA_LOCAL, bytes.data(), bytes.size());
  message.attribute(IFA_ADDRESS, bytes.data(), bytes.size());
  return message;
}

RouteMessage neighbour_request(const InterfaceSpec& spec, uint32_t index,
                               const host::Neighbour& neighbour) {
  RouteMessage message(
      RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE,
      absl::StrCat("adding neighbour ", neighbour.address.to_string(), " to ", spec.name));
  const std::span<const uint8_t> bytes = neighbour.address.bytes();
  message.header(ndmsg{.ndm_family = netlink_family(neighbour.address),
                       .ndm_ifindex = static_cast<int>(index),
                       .ndm_state = NUD_PERMANENT});
  message.attribute(NDA_DST, bytes.data(), bytes.size());
  message.attribute(NDA_LLADDR, neighbour.mac.bytes.data(), neighbour.mac.bytes.size());
  return message;
}

RouteMessage route_request(const InterfaceSpec& spec, uint32_t index, const Route& route) {
  RouteMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
                       absl::StrCat("adding route ", route.destination.to_string(), "/",
                                    route.prefix_length, " to ", spec.name));
  message.header(
      rtmsg{.rtm_family = netlink_family(route.destination),
            .rtm_dst_len = route.prefix_length,
            .rtm_table = RT_TABLE_MAIN,
            .rtm_protocol = RTPROT_STATIC,
            .rtm_scope = route.gateway ? uint8_t{RT_SCOPE_UNIVERSE} : uint8_t{RT_SCOPE_LINK},
            .rtm_type = RTN_UNICAST});
  const std::span<const uint8_t> destination = route.destination.bytes();
  if (route.prefix_length > 0) message.attribute(RTA_DST, destination.data(), destination.size());
  if (route.gateway) {
    message.attribute(RTA_GATEWAY, route.gateway->bytes().data(), route.gateway->bytes().size());
  }
  message.attribute_u32(RTA_OIF, index);
  return message;
}

// --- work on the device; `socket` is a routing socket of its namespace ---

absl::StatusOr<Interface> look_up(int socket, const std::string& name) {
  Interface found;
  found.name = name;
  ifreq request = named_request(name);
  if (::ioctl(socket, SIOCGIFINDEX, &request) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("looking for interface ", name));
  }
  found.index = static_cast<uint32_t>(request.ifr_ifindex);
  if (::ioctl(socket, SIOCGIFHWADDR, &request) == 0 &&
      request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
    std::memcpy(found.mac.bytes.data(), request.ifr_hwaddr.sa_data, found.mac.bytes.size());
  }
  return found;
}

absl::Status verify_offloads(int socket, const std::string& name) {
  absl::StatusOr<std::vector<std::string>> on = offloads_on(socket, name);
  if (!on.ok()) return on.status();
  if (on->empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("interface ", name, ": offloads stay on: ", absl::StrJoin(*on, ", "),
                   "; checksums and segment sizes could not be judged"));
}

// Features first: some of them restart the device's queues when it is up.
absl::StatusOr<Interface> configure(const NetworkNamespace& ns, int socket,
                                    const InterfaceSpec& spec) {
  absl::StatusOr<Interface> interface = look_up(socket, spec.name);
  if (!interface.ok()) return interface;
  if (!spec.offloads) {
    if (absl::Status status = disable_offloads(socket, spec.name); !status.ok()) return status;
    if (absl::Status status = verify_offloads(socket, spec.name); !status.ok()) return status;
  }
  if (spec.link_local) {
    absl::Status status =
        write_sysctl(ns, absl::StrCat("net.ipv6.conf.", spec.name, ".addr_gen_mode"), "0");
    if (!status.ok()) return status;
  }
  const uint32_t index = interface->index;
  RouteBatch batch;
  batch.add(up_request(spec, index));
  for (const auto& address : spec.addresses) batch.add(address_request(spec, index, address));
  for (const auto& neighbour : spec.neighbours) {
    batch.add(neighbour_request(spec, index, neighbour));
  }
  for (const auto& route : spec.routes) batch.add(route_request(spec, index, route));
  if (absl::Status status = batch.execute(socket); !status.ok()) return status;
  return interface;
}

// Of linux/if.h, which cannot be had together with net/if.h (RFC 2863 ifOperStatus).
constexpr uint8_t kOperationalUnknown = 0;
constexpr uint8_t kOperationalUp = 6;

// A veth leg that was brought up before its peer has no queue yet and drops what is sent until the
// kernel's link watch has run. IFF_RUNNING does not tell: it is set while the operational state is
// still unknown. (A TUN device has its queue at once, and its state stays unknown.)
absl::StatusOr<bool> is_operational(int socket, const Interface& interface) {
  RouteMessage message(RTM_GETLINK, 0, absl::StrCat("asking for the state of ", interface.name));
  message.header(ifinfomsg{.ifi_index = static_cast<int>(interface.index)});
  RouteBatch batch;
  batch.add(std::move(message));
  uint8_t state = kOperationalUnknown;
  absl::Status status = batch.execute(socket, [&](nlmsghdr* header) {
    const nlattr* attribute = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_OPERSTATE);
    if (attribute != nullptr) state = nla_get_u8(attribute);
  });
  if (!status.ok()) return status;
  return state == kOperationalUp || (interface.is_tun() && state == kOperationalUnknown);
}

// An IPv6 address is not received on until the kernel's address worker has made its local route,
// which it does later even where there is no duplicate address detection.
absl::StatusOr<bool> is_received_on(int socket, const packet::IpAddress& own) {
  RouteMessage message(RTM_GETROUTE, 0,
                       absl::StrCat("asking for the local route of ", own.to_string()));
  message.header(rtmsg{.rtm_family = AF_INET6, .rtm_dst_len = 128});
  message.attribute(RTA_DST, own.bytes().data(), own.bytes().size());
  RouteBatch batch;
  batch.add(std::move(message));
  bool local = false;
  absl::Status status = batch.execute(socket, [&](nlmsghdr* header) {
    local = static_cast<const rtmsg*>(nlmsg_data(header))->rtm_type == RTN_LOCAL;
  });
  // "Unreachable" is an answer as well: not yet.
  return local && status.ok();
}

// Waits for the two above. That is soon but not at once: without it, up to one connection in five
// lost its SYN and took a second longer.
absl::Status wait_until_usable(int socket, const Interface& interface, const InterfaceSpec& spec) {
  size_t next_address = 0;
  for (int attempt = 0; attempt < 100'000; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    absl::StatusOr<bool> usable = is_operational(socket, interface);
    while (usable.ok() && *usable && next_address < spec.addresses.size()) {
      const packet::IpAddress& own = spec.addresses[next_address].address;
      if (own.is_v6()) usable = is_received_on(socket, own);
      if (usable.ok() && *usable) ++next_address;
    }
    if (!usable.ok()) return usable.status();
    if (*usable) return absl::OkStatus();
  }
  return absl::InternalError(
      absl::StrCat("interface ", interface.name, " is not usable after 10 s"));
}

}  // namespace

absl::StatusOr<VethPair> create_veth(const NetworkNamespace& a, const InterfaceSpec& a_spec,
                                     const NetworkNamespace& b, const InterfaceSpec& b_spec) {
  if (absl::Status status = check(a_spec); !status.ok()) return status;
  if (absl::Status status = check(b_spec); !status.ok()) return status;
  const absl::StatusOr<UniqueFd> a_socket = open_route_socket(a);
  if (!a_socket.ok()) return a_socket.status();
  const absl::StatusOr<UniqueFd> b_socket = open_route_socket(b);
  if (!b_socket.ok()) return b_socket.status();
  RouteBatch batch;
  batch.add(veth_request(a_spec, b_spec, b.fd()));
  if (absl::Status status = batch.execute(a_socket->get()); !status.ok()) return status;

  const absl::StatusOr<Interface> a_leg = configure(a, a_socket->get(), a_spec);
  absl::Status status = a_leg.status();
  absl::StatusOr<Interface> b_leg = absl::UnknownError("not made");
  if (status.ok()) {
    b_leg = configure(b, b_socket->get(), b_spec);
    status = b_leg.status();
  }
  if (status.ok()) status = wait_until_usable(b_socket->get(), *b_leg, b_spec);
  if (status.ok()) status = wait_until_usable(a_socket->get(), *a_leg, a_spec);
  if (status.ok()) return VethPair{*a_leg, *b_leg};
  delete_interface(a, a_spec.name).IgnoreError();  // the first error is what the caller must see
  return status;
}

absl::Status delete_interface(const NetworkNamespace& ns, const std::string& name) {
  const absl::StatusOr<UniqueFd> socket = open_route_socket(ns);
  if (!socket.ok()) return socket.status();
  RouteBatch batch;
  RouteMessage message(RTM_DELLINK, 0, absl::StrCat("deleting interface ", name));
  message.header(ifinfomsg{});
  message.attribute_string(IFLA_IFNAME, name);
  batch.add(std::move(message));
  return batch.execute(socket->get());
}

namespace {

// The device node is opened in the namespace where the device shall live.
absl::StatusOr<UniqueFd> open_tun(const NetworkNamespace& ns, const InterfaceSpec& spec,
                                  bool vnet_header) {
  absl::StatusOr<UniqueFd> opened = ns.open_tun();
  if (!opened.ok()) return opened.status();
  UniqueFd fd = *std::move(opened);
  ifreq request = named_request(spec.name);
  request.ifr_flags =
      static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL | (vnet_header ? IFF_VNET_HDR : 0));
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    // TUN says "busy" where netlink says "exists".
    const int error = errno == EBUSY ? EEXIST : errno;
    return absl::ErrnoToStatus(error, absl::StrCat("making TUN device ", spec.name));
  }
  const unsigned offloads = vnet_header && spec.offloads ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;
  if (::ioctl(fd.get(), TUNSETOFFLOAD, offloads) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("setting offloads of TUN device ", spec.name));
  }
  return fd;
}

}  // namespace

absl::StatusOr<TunDevice> create_tun(const NetworkNamespace& ns, const InterfaceSpec& spec,
                                     bool vnet_header) {
  if (absl::Status status = check(spec); !status.ok()) return status;
  if (spec.mac) return wrong(spec, "mac", "a TUN device has no MAC address");
  if (!spec.neighbours.empty()) return wrong(spec, "neighbours", "a TUN device has none");
  if (spec.offloads && !vnet_header) {
    return wrong(spec, "offloads", "a TUN device needs the vnet header for them");
  }
  absl::StatusOr<UniqueFd> fd = open_tun(ns, spec, vnet_header);
  if (!fd.ok()) return fd.status();
  const absl::StatusOr<UniqueFd> socket = open_route_socket(ns);
  if (!socket.ok()) return socket.status();
  absl::StatusOr<Interface> interface = configure(ns, socket->get(), spec);
  if (!interface.ok()) return interface.status();
  if (absl::Status status = wait_until_usable(socket->get(), *interface, spec); !status.ok()) {
    return status;
  }
  return TunDevice{*std::move(fd), *std::move(interface)};
}

}  // namespace tcproctor::server
