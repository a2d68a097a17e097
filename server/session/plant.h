// SPDX-License-Identifier: Apache-2.0
// What a session needs of the machine: namespaces, devices and packet sockets. Made and given up on
// a worker thread, because the kernel may take milliseconds for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/host/namespace.h"
#include "server/host/packet_filter.h"
#include "server/host/place.h"
#include "server/session/plan.h"
#include "stack/link/link.h"

namespace tcproctor::server {

struct EndPlant {
  // Null on memory and for an end without a TCP; of the kernel on LINK_KIND_INTERFACE the daemon's.
  std::shared_ptr<NetworkNamespace> ns;
  std::string interface;                  // in `ns`
  std::unique_ptr<link::Link> end_link;   // what our stack speaks through; null for the kernel
  std::unique_ptr<link::Link> wire_link;  // the wire's side of it; null if scripted or direct
};

struct Plant {
  std::shared_ptr<NetworkNamespace> wire_ns;  // the wire's legs of veth pairs
  EndPlant a;
  EndPlant b;
  std::vector<AddressClaim> claims;  // on LINK_KIND_INTERFACE
  std::unique_ptr<PacketFilter> filter;
  bool of_the_machine = false;  // the namespace is not the session's: nothing in it is given up

  EndPlant& end(v1::End side) { return side == v1::END_A ? a : b; }
};

// INVALID_ARGUMENT: a sysctl the user asked for; FAILED_PRECONDITION: what the machine lacks
// (capability, device, an offload that stays on); INTERNAL: the kernel's own words. Nothing is left
// when it fails.
// FAILED_PRECONDITION as well: on LINK_KIND_INTERFACE nobody answers for the next hop, an address
// is another session's, or the machine's settings are not those asked for.
absl::StatusOr<Plant> build_plant(const SessionPlan& plan);

// Gives it all back. Connections that the kernel was left with (released, their FIN unanswered) are
// destroyed: each would keep its namespace alive until its last retransmission, about 100 s.
void give_back(Plant plant);

// The wire's device on the other side of an end's.
std::string wire_leg_name(v1::End side);

// Whether building it may take the kernel's time.
bool needs_machine(const SessionPlan& plan);

}  // namespace tcproctor::server
