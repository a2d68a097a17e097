// SPDX-License-Identifier: Apache-2.0
// A CreateSessionRequest once it has been validated and every default is filled in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/host/place.h"
#include "server/host/sysctl.h"
#include "stack/host/host.h"
#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/time.h"
#include "tcproctor/v1/segment.pb.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::server {

struct EndPlan {
  v1::End side = v1::END_UNSPECIFIED;
  v1::EndKind kind = v1::END_KIND_UNSPECIFIED;
  std::vector<host::InterfaceAddress> addresses;  // at least one, but of a remote end
  std::vector<std::string> address_texts;         // "ADDRESS/PREFIX", normalised
  packet::MacAddress mac;
  tcp::Settings settings;       // stack
  bool trace = false;           // stack
  uint32_t mutant = 0;          // stack: number of the planted one; 0: none
  std::vector<Sysctl> sysctls;  // kernel: what the user asked for
};

struct SessionPlan {
  EndPlan a;
  EndPlan b;
  v1::LinkKind link = v1::LINK_KIND_UNSPECIFIED;
  // LINK_KIND_INTERFACE: the interface, and the next hops off the prefixes.
  std::string interface;
  std::optional<packet::IpAddress> gateway_v4;
  std::optional<packet::IpAddress> gateway_v6;
  // A stack end has only these ports of the machine's addresses. last 0: it has its own addresses.
  uint16_t shared_first_port = 0;
  uint16_t shared_last_port = 0;
  uint64_t owner = 0;  // of addresses on it: never that of another session
  v1::Clock clock = v1::CLOCK_UNSPECIFIED;
  bool direct = false;
  bool offloads = false;  // of kernel ends' devices
  uint32_t mtu = 1500;
  uint64_t log_bytes = uint64_t{64} << 20;
  tcp::Duration lease{0};
  uint64_t seed = 0;  // never 0: drawn when the request had none
  std::string label;

  const EndPlan& end(v1::End side) const { return side == v1::END_A ? a : b; }
  const EndPlan& peer(v1::End side) const { return side == v1::END_A ? b : a; }
  bool virtual_clock() const { return clock == v1::CLOCK_VIRTUAL; }
  bool shares_addresses() const { return shared_last_port != 0; }
  bool on_interface() const { return link == v1::LINK_KIND_INTERFACE; }
};

// INVALID_ARGUMENT names the field, what was wrong and what would be right. `place`: as it is now,
// for LINK_KIND_INTERFACE; without one that is FAILED_PRECONDITION.
absl::StatusOr<SessionPlan> plan_session(const v1::CreateSessionRequest& request,
                                         const Place& place = {});

// A seed of its own for each use (`purpose`), so that two uses never share a stream.
uint64_t derive_seed(uint64_t seed, uint64_t purpose);

}  // namespace tcproctor::server
