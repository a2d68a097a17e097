// SPDX-License-Identifier: Apache-2.0
#include "server/session/plant.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/host/inet_diag.h"
#include "server/host/interface.h"
#include "server/host/sysctl.h"
#include "server/host/tcp_metrics.h"
#include "stack/link/memory_link.h"
#include "stack/link/neighbour_link.h"
#include "stack/link/packet_socket.h"
#include "stack/link/raw_socket.h"
#include "stack/link/tun_link.h"

namespace tcproctor::server {
namespace {

constexpr char kVethName[] = "tcp0";
constexpr char kTunName[] = "tun0";
// How long the next hop towards a remote end may take to answer.
constexpr std::chrono::milliseconds kResolveWithin(3000);
// SO_MARK of segments of ours that leave with an address of the machine: "tcp".
constexpr uint32_t kOurMark = 0x746370;

absl::string_view name_of(v1::End side) {
  return side == v1::END_A ? "a" : "b";
}

// NOT_FOUND means "no such session" in this API, and a missing right is the machine's state.
absl::Status of_the_machine(const absl::Status& status, absl::string_view what) {
  if (status.ok()) return status;
  const absl::StatusCode code =
      absl::IsPermissionDenied(status) || absl::IsNotFound(status) || absl::IsAlreadyExists(status)
          ? absl::StatusCode::kFailedPrecondition
          : status.code();
  return absl::Status(code, absl::StrCat(what, ": ", status.message()));
}

absl::StatusOr<std::shared_ptr<NetworkNamespace>> make_namespace(absl::string_view what) {
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::create();
  if (!ns.ok()) return of_the_machine(ns.status(), what);
  return std::shared_ptr<NetworkNamespace>(*std::move(ns));
}

absl::Status set_sysctls(const EndPlan& end, const NetworkNamespace& ns) {
  if (end.kind != v1::END_KIND_KERNEL) return absl::OkStatus();
  absl::Status status =
      of_the_machine(apply_sysctls(ns, kernel_target_defaults()), name_of(end.side));
  if (!status.ok()) return status;
  status = apply_sysctls(ns, end.sysctls);
  if (absl::IsNotFound(status) || absl::IsInvalidArgument(status)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_of(end.side), ".kernel.sysctls: ", status.message()));
  }
  return of_the_machine(status, absl::StrCat(name_of(end.side), ".kernel.sysctls"));
}

// The end's own device: its addresses, the peer as permanent neighbour, and everything else through
// the peer, so that answers to forged sources reach the wire.
InterfaceSpec end_device(const SessionPlan& plan, const EndPlan& end, const char* name) {
  const EndPlan& peer = plan.peer(end.side);
  const bool ethernet = plan.link == v1::LINK_KIND_VETH;
  InterfaceSpec spec;
  spec.name = name;
  spec.mtu = plan.mtu;
  spec.offloads = plan.offloads;
  if (ethernet) spec.mac = end.mac;
  // The kernel must not own our stack's addresses: it would answer in its place.
  if (end.kind != v1::END_KIND_KERNEL) return spec;
  spec.addresses = end.addresses;
  bool routed_v4 = false;
  bool routed_v6 = false;
  for (const host::InterfaceAddress& remote : peer.addresses) {
    if (ethernet) spec.neighbours.push_back({remote.address, peer.mac});
    bool& routed = remote.address.is_v4() ? routed_v4 : routed_v6;
    if (routed) continue;
    routed = true;
    // The gateway itself must be reachable even when the prefixes do not say so.
    Route to_peer{remote.address, static_cast<uint8_t>(remote.address.is_v4() ? 32 : 128), {}};
    Route everything{packet::IpAddress::any(remote.address.family()), 0, {}};
    if (ethernet) everything.gateway = remote.address;
    spec.routes.push_back(to_peer);
    spec.routes.push_back(everything);
  }
  return spec;
}

absl::StatusOr<std::unique_ptr<link::Link>> open_packet_socket(const NetworkNamespace& ns,
                                                               const std::string& interface,
                                                               bool vnet_header) {
  // Protocol 0: nothing is received before everything is set up.
  absl::StatusOr<UniqueFd> socket = ns.open_socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  if (!socket.ok()) {
    return of_the_machine(socket.status(), absl::IsPermissionDenied(socket.status())
                                               ? "packet socket (CAP_NET_RAW is needed)"
                                               : "packet socket");
  }
  absl::StatusOr<std::unique_ptr<link::PacketSocket>> adopted =
      link::PacketSocket::adopt(socket->release(), interface, {.vnet_header = vnet_header});
  if (!adopted.ok()) return of_the_machine(adopted.status(), "packet socket");
  return std::unique_ptr<link::Link>(*std::move(adopted));
}

absl::Status build_veth_end(const SessionPlan& plan, const EndPlan& end, Plant& plant) {
  EndPlant& mine = plant.end(end.side);
  if (end.kind == v1::END_KIND_SCRIPTED) return absl::OkStatus();
  InterfaceSpec leg;
  leg.name = wire_leg_name(end.side);
  leg.mtu = plan.mtu;
  leg.offloads = plan.offloads;
  const absl::StatusOr<VethPair> pair =
      create_veth(*mine.ns, end_device(plan, end, kVethName), *plant.wire_ns, leg);
  if (!pair.ok()) return of_the_machine(pair.status(), "veth");
  mine.interface = kVethName;
  absl::StatusOr<std::unique_ptr<link::Link>> wire =
      open_packet_socket(*plant.wire_ns, leg.name, plan.offloads);
  if (!wire.ok()) return wire.status();
  mine.wire_link = *std::move(wire);
  return absl::OkStatus();
}

absl::Status open_end_link(const SessionPlan& plan, const EndPlan& end, Plant& plant) {
  if (end.kind != v1::END_KIND_STACK) return absl::OkStatus();
  EndPlant& mine = plant.end(end.side);
  absl::StatusOr<std::unique_ptr<link::Link>> opened =
      open_packet_socket(*mine.ns, mine.interface, plan.offloads);
  if (!opened.ok()) return opened.status();
  mine.end_link = *std::move(opened);
  return absl::OkStatus();
}

absl::Status build_veth(const SessionPlan& plan, Plant& plant) {
  absl::Status status;
  if (plan.direct) {
    const absl::StatusOr<VethPair> pair =
        create_veth(*plant.a.ns, end_device(plan, plan.a, kVethName), *plant.b.ns,
                    end_device(plan, plan.b, kVethName));
    status = of_the_machine(pair.status(), "veth");
    plant.a.interface = kVethName;
    plant.b.interface = kVethName;
  } else {
    absl::StatusOr<std::shared_ptr<NetworkNamespace>> ns = make_namespace("wire");
    if (!ns.ok()) return ns.status();
    plant.wire_ns = *std::move(ns);
    status = build_veth_end(plan, plan.a, plant);
    if (status.ok()) status = build_veth_end(plan, plan.b, plant);
  }
  if (status.ok()) status = open_end_link(plan, plan.a, plant);
  if (status.ok()) status = open_end_link(plan, plan.b, plant);
  return status;
}

absl::StatusOr<std::unique_ptr<link::Link>> build_tun(const SessionPlan& plan, const EndPlan& end,
                                                      EndPlant& plant) {
  absl::StatusOr<TunDevice> device =
      create_tun(*plant.ns, end_device(plan, end, kTunName), plan.offloads);
  if (!device.ok()) return of_the_machine(device.status(), "tun");
  plant.interface = kTunName;
  absl::StatusOr<std::unique_ptr<link::TunLink>> adopted =
      link::TunLink::adopt(device->fd.release());
  if (!adopted.ok()) return of_the_machine(adopted.status(), "tun");
  return std::unique_ptr<link::Link>(*std::move(adopted));
}

void build_memory_end(const EndPlan& end, EndPlant& plant) {
  if (end.kind != v1::END_KIND_STACK) return;
  auto [mine, wire] = link::MemoryLink::pair(host::LinkLayer::kRawIp, 4096);
  plant.end_link = std::move(mine);
  plant.wire_link = std::move(wire);
}

absl::Status build_tun_ends(const SessionPlan& plan, Plant& plant) {
  for (const EndPlan* end : {&plan.a, &plan.b}) {
    EndPlant& mine = plant.end(end->side);
    if (end->kind != v1::END_KIND_KERNEL) {
      if (!plan.direct) build_memory_end(*end, mine);
      continue;
    }
    absl::StatusOr<std::unique_ptr<link::Link>> tun = build_tun(plan, *end, mine);
    if (!tun.ok()) return tun.status();
    // Direct: our stack itself holds the device of the other end.
    EndPlant& other = end->side == v1::END_A ? plant.b : plant.a;
    (plan.direct ? other.end_link : mine.wire_link) = *std::move(tun);
  }
  return absl::OkStatus();
}

void build_memory(const SessionPlan& plan, Plant& plant) {
  if (plan.direct) {
    auto [a, b] = link::MemoryLink::pair(host::LinkLayer::kRawIp, 4096);
    plant.a.end_link = std::move(a);
    plant.b.end_link = std::move(b);
    return;
  }
  build_memory_end(plan.a, plant.a);
  build_memory_end(plan.b, plant.b);
}

// A session changes nothing of the machine itself.
absl::Status check_sysctls(const EndPlan& end) {
  std::string commands;
  for (const Sysctl& wanted : end.sysctls) {
    const absl::StatusOr<std::string> is = read_sysctl_here(wanted.name);
    if (!is.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name_of(end.side), ".kernel.sysctls: ", is.status().message()));
    }
    if (*is == wanted.value) continue;
    absl::StrAppend(&commands, commands.empty() ? "" : "; ", "sysctl -w ", wanted.name, "='",
                    wanted.value, "' (it is ", *is, ")");
  }
  if (commands.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(name_of(end.side), ".kernel.sysctls: this machine is set otherwise, and a ",
                   "session does not change it: ", commands));
}

absl::StatusOr<std::unique_ptr<link::Link>> open_neighbour_link(const SessionPlan& plan,
                                                                const EndPlan& scripted) {
  absl::StatusOr<std::unique_ptr<link::PacketSocket>> socket =
      link::PacketSocket::open(plan.interface, {});
  if (!socket.ok()) return of_the_machine(socket.status(), "packet socket");
  link::NeighbourLinkConfig config;
  config.addresses = scripted.addresses;
  config.mac = scripted.mac;
  config.gateway_v4 = plan.gateway_v4;
  config.gateway_v6 = plan.gateway_v6;
  for (const host::InterfaceAddress& remote : plan.peer(scripted.side).addresses) {
    config.peers.push_back(remote.address);
  }
  absl::StatusOr<std::unique_ptr<link::NeighbourLink>> made =
      link::NeighbourLink::create(*std::move(socket), std::move(config));
  absl::Status status = made.status();
  if (status.ok()) status = (*made)->resolve(kResolveWithin);
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat(plan.interface, ": ", status.message()));
  }
  return std::unique_ptr<link::Link>(*std::move(made));
}

// The filter first: the kernel must not answer before our stack does.
absl::Status build_shared(const SessionPlan& plan, const EndPlan& mine, Plant& plant) {
  QuietPorts quiet = {.addresses = {},
                      .first_port = plan.shared_first_port,
                      .last_port = plan.shared_last_port,
                      .mark = kOurMark};
  for (const host::InterfaceAddress& own : mine.addresses) quiet.addresses.push_back(own.address);
  EndPlant& here = plant.end(mine.side);
  absl::Status status = check_ports_free(*here.ns, quiet.first_port, quiet.last_port);
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("wire.interface.shared_ports: ", status.message()));
  }
  absl::StatusOr<std::unique_ptr<PacketFilter>> filter = PacketFilter::install(quiet);
  if (!filter.ok()) return of_the_machine(filter.status(), "nf_tables");
  plant.filter = *std::move(filter);
  absl::StatusOr<std::unique_ptr<link::RawSocket>> link =
      link::RawSocket::open({quiet.addresses, quiet.first_port, quiet.last_port, quiet.mark});
  if (!link.ok()) return of_the_machine(link.status(), name_of(mine.side));
  here.end_link = *std::move(link);
  return absl::OkStatus();
}

// The end here: one that the daemon's own namespace holds, with what it needs of the machine.
absl::Status build_on_interface(const SessionPlan& plan, Plant& plant) {
  const EndPlan& mine = plan.a.kind == v1::END_KIND_REMOTE ? plan.b : plan.a;
  EndPlant& here = plant.end(mine.side);
  here.interface = plan.interface;
  plant.of_the_machine = true;
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> ns = NetworkNamespace::current();
  if (!ns.ok()) return of_the_machine(ns.status(), name_of(mine.side));
  here.ns = *std::move(ns);
  if (mine.kind == v1::END_KIND_KERNEL) {
    // A session that was killed could not do it as it ended.
    for (const host::InterfaceAddress& remote : plan.peer(mine.side).addresses) {
      const absl::Status status = forget_peer(*here.ns, remote.address);
      if (!status.ok()) return of_the_machine(status, name_of(mine.side));
    }
    return check_sysctls(mine);
  }
  for (const host::InterfaceAddress& own : mine.addresses) {
    absl::StatusOr<AddressClaim> claim = AddressClaim::take(own.address, plan.owner);
    if (!claim.ok()) {
      return absl::Status(
          claim.status().code(),
          absl::StrCat(name_of(mine.side), ".addresses: ", claim.status().message()));
    }
    plant.claims.push_back(*std::move(claim));
  }
  if (plan.shares_addresses()) return build_shared(plan, mine, plant);
  if (mine.kind == v1::END_KIND_STACK) return open_end_link(plan, mine, plant);
  // The wire stands between: what it reads there is what the remote end has sent.
  absl::StatusOr<std::unique_ptr<link::Link>> link = open_neighbour_link(plan, mine);
  if (!link.ok()) return link.status();
  plant.end(plan.peer(mine.side).side).wire_link = *std::move(link);
  return absl::OkStatus();
}

bool needs_namespace(const SessionPlan& plan, const EndPlan& end) {
  if (plan.on_interface()) return false;
  return end.kind == v1::END_KIND_KERNEL ||
         (end.kind == v1::END_KIND_STACK && plan.link == v1::LINK_KIND_VETH);
}

}  // namespace

void give_back(Plant plant) {
  for (const EndPlant* end : {&plant.a, &plant.b}) {
    if (end->ns == nullptr || plant.of_the_machine) continue;
    const absl::StatusOr<std::unique_ptr<InetDiag>> diag = InetDiag::open(*end->ns);
    const absl::Status status = diag.ok() ? (*diag)->destroy_all().status() : diag.status();
    if (!status.ok()) {
      spdlog::warn("what is left of end {} may live on for two minutes: {}",
                   std::string(name_of(end == &plant.a ? v1::END_A : v1::END_B)),
                   std::string(status.message()));
    }
  }
}

std::string wire_leg_name(v1::End side) {
  return absl::StrCat("wire-", name_of(side));
}

bool needs_machine(const SessionPlan& plan) {
  return plan.link != v1::LINK_KIND_MEMORY;
}

absl::StatusOr<Plant> build_plant(const SessionPlan& plan) {
  Plant plant;
  for (const EndPlan* end : {&plan.a, &plan.b}) {
    if (!needs_namespace(plan, *end)) continue;
    absl::StatusOr<std::shared_ptr<NetworkNamespace>> ns = make_namespace(name_of(end->side));
    if (!ns.ok()) return ns.status();
    plant.end(end->side).ns = *std::move(ns);
    const absl::Status status = set_sysctls(*end, *plant.end(end->side).ns);
    if (!status.ok()) return status;
  }
  absl::Status status;
  switch (plan.link) {
    case v1::LINK_KIND_VETH:
      status = build_veth(plan, plant);
      break;
    case v1::LINK_KIND_TUN:
      status = build_tun_ends(plan, plant);
      break;
    case v1::LINK_KIND_INTERFACE:
      status = build_on_interface(plan, plant);
      break;
    default:
      build_memory(plan, plant);
      break;
  }
  if (!status.ok()) return status;
  return plant;
}

}  // namespace tcproctor::server
