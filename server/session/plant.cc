// SPDX-License-Identifier: Apache-2.0
#include "server/session/plant.h"

#include <utility>

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/host/inet_diag.h"
#include "server/host/interface.h"
#include "server/host/sysctl.h"
#include "stack/link/memory_link.h"
#include "stack/link/packet_socket.h"
#include "stack/link/tun_link.h"

namespace tcproctor::server {
namespace {

constexpr char kVethName[] = "tcp0";
constexpr char kTunName[] = "tun0";

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
  std::unique_ptr<link::PacketSocket> socket;
  const absl::Status status = ns.run_in([&] {
    absl::StatusOr<std::unique_ptr<link::PacketSocket>> opened =
        link::PacketSocket::open(interface, {.vnet_header = vnet_header});
    if (!opened.ok()) return opened.status();
    socket = *std::move(opened);
    return absl::OkStatus();
  });
  if (!status.ok()) return of_the_machine(status, "packet socket");
  return std::unique_ptr<link::Link>(std::move(socket));
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

bool needs_namespace(const SessionPlan& plan, const EndPlan& end) {
  return end.kind == v1::END_KIND_KERNEL ||
         (end.kind == v1::END_KIND_STACK && plan.link == v1::LINK_KIND_VETH);
}

}  // namespace

void give_back(Plant plant) {
  for (const EndPlant* end : {&plant.a, &plant.b}) {
    if (end->ns == nullptr) continue;
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
    default:
      build_memory(plan, plant);
      break;
  }
  if (!status.ok()) return status;
  return plant;
}

}  // namespace tcproctor::server
